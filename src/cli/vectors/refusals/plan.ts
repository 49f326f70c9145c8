import type { ToldPlace } from '../../../base/place.ts'
import type { RefusalBench } from '../refusal-bench.ts'

/** A request that is wrong in one thing, and what the service says of it. */
export type RefusalPlan = {
  /** Kebab-case, unique. */
  readonly name: string
  /** What is changed of a good request; one sentence. */
  readonly changed: string
  readonly status: number
  /** From the catalogue of codes. */
  readonly code: string
  /** Where in the request; absent where the answer does not say, or has no place for it. */
  readonly where?: ToldPlace
  /** Sends it; the last request of the bench is the one that is refused. */
  readonly send: (bench: RefusalBench) => Promise<unknown>
}

/** What the report of an enclave is made over, and what stands in it, as answers name them. */
export const SIGNED = 'request.att_data.report_signed'
export const CURRENT = `${SIGNED}.tpm_att_data.current_attestation`
