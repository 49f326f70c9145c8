import { type Explanation, explainInWords } from '../base/explanation.ts'
import type { RelayFailure } from './failure.ts'

/** An error in the form of Azure Attestation's REST interface, in our own words. */
export type RelayWireError = {
  readonly status: 400 | 503
  readonly body: {
    readonly error: {
      readonly code: string
      readonly message: string
      readonly innererror: { readonly code: RelayCode; readonly request_id: string }
    }
  }
}

/** What an agent is told of a provider. How one fails is for the operator, and stands in the log. */
export const RELAY_ANSWERS = {
  provider_refused: {
    status: 400,
    cause: 'The attestation provider refused the evidence, or the challenge has expired.',
    change:
      'Ask for a new challenge and answer it. If that is refused too, the administrator finds in ' +
      "the provider's own log what was wrong.",
  },
  provider_unavailable: {
    status: 503,
    cause: 'Evidence cannot be verified at the moment.',
    change: 'Try again after the seconds in Retry-After, with a new challenge.',
  },
} as const satisfies Record<string, Explanation & { readonly status: RelayWireError['status'] }>

type RelayCode = keyof typeof RELAY_ANSWERS

/** Every reason has an answer; a new one does not compile until it has. */
export const RELAY_CODE_OF: Readonly<Record<RelayFailure['reason'], RelayCode>> = {
  provider_refused: 'provider_refused',
  provider_unreachable: 'provider_unavailable',
  provider_timed_out: 'provider_unavailable',
  provider_throttled: 'provider_unavailable',
  provider_failed: 'provider_unavailable',
  provider_credential_refused: 'provider_unavailable',
  provider_answer_malformed: 'provider_unavailable',
  provider_circuit_open: 'provider_unavailable',
}

/**
 * All that an agent is told of what a provider said: whether it is worth coming back. `requestId`
 * names the attempt in the log.
 */
export function toRelayWireError(failure: RelayFailure, requestId: string): RelayWireError {
  const told = RELAY_CODE_OF[failure.reason]
  const answer = RELAY_ANSWERS[told]
  const { status } = answer
  const code = status === 503 ? 'ServiceUnavailable' : (failure.code ?? 'InvalidParameter')
  const innererror = { code: told, request_id: requestId }
  return { status, body: { error: { code, message: explainInWords(answer), innererror } } }
}
