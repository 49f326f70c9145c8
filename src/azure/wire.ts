import type { RelayFailure } from './failure.ts'

/** An error in the form of Azure Attestation's REST interface, in our own words. */
export type RelayWireError = {
  readonly status: 400 | 503
  readonly body: { readonly error: { readonly code: string; readonly message: string } }
}

const REFUSED = {
  status: 400,
  message: 'The attestation provider refused the evidence, or the challenge has expired.',
} as const
const UNAVAILABLE = {
  status: 503,
  message: 'Evidence cannot be verified at the moment. Try again later with a new challenge.',
} as const

/** Every reason has an answer; a new one does not compile until it has. */
const ANSWER_OF: Readonly<Record<RelayFailure['reason'], typeof REFUSED | typeof UNAVAILABLE>> = {
  provider_refused: REFUSED,
  provider_unreachable: UNAVAILABLE,
  provider_timed_out: UNAVAILABLE,
  provider_throttled: UNAVAILABLE,
  provider_failed: UNAVAILABLE,
  provider_credential_refused: UNAVAILABLE,
  provider_answer_malformed: UNAVAILABLE,
  provider_circuit_open: UNAVAILABLE,
}

/** All that an agent is told of what a provider said: whether it is worth coming back. */
export function toRelayWireError(failure: RelayFailure): RelayWireError {
  const { status, message } = ANSWER_OF[failure.reason]
  const code = status === 503 ? 'ServiceUnavailable' : (failure.code ?? 'InvalidParameter')
  return { status, body: { error: { code, message } } }
}
