import type { EvaluationRequest } from '../access/evaluation-request.ts'

/** Why what an identity provider sent is no request that can be answered. */
export const VENDOR_REQUEST_REASONS = ['vendor_request_malformed'] as const

/** `detail`: the path of the member that is wrong. */
export type VendorRequestFailure = {
  readonly reason: (typeof VENDOR_REQUEST_REASONS)[number]
  readonly detail: string
}

/** The question of a provider that knows the user and not the device. */
export type VendorUserQuestion = {
  /** What administrators may have written as the owner of the user's devices; empty where it is no user. */
  readonly owners: readonly string[]
  readonly request: EvaluationRequest
}
