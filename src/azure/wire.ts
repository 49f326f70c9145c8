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

type RelayAnswer = Explanation & { readonly told: RelayCode }

const outage = (cause: string, change: string): RelayAnswer => {
  return { told: 'provider_unavailable', cause, change }
}

/** Every reason, for the operator, and the code that the agent is told; a new one does not compile without. */
export const RELAY_REASONS_TOLD: Readonly<Record<RelayFailure['reason'], RelayAnswer>> = {
  provider_refused: { told: 'provider_refused', ...RELAY_ANSWERS.provider_refused },
  provider_unreachable: outage(
    'The provider cannot be reached.',
    'Look at the way to it: DNS, proxy, firewall.',
  ),
  provider_timed_out: outage(
    'The provider did not answer in time.',
    'Look at its state, or raise AZURE_TIMEOUT_SECONDS.',
  ),
  provider_throttled: outage(
    'The provider asks for fewer requests.',
    'Spread the agents, or use another provider beside it.',
  ),
  provider_failed: outage('The provider failed.', 'Look at its state at Azure.'),
  provider_credential_refused: outage(
    'The provider refuses our credential.',
    'Renew it, and look at the roles of the identity.',
  ),
  provider_answer_malformed: outage(
    'The answer is not one of Azure Attestation.',
    'Look at what stands between here and Azure.',
  ),
  provider_circuit_open: outage(
    'The provider has failed several times and is left alone for a while.',
    'Look at the failures in the log before it.',
  ),
}

/**
 * All that an agent is told of what a provider said: whether it is worth coming back. `requestId`
 * names the attempt in the log.
 */
export function toRelayWireError(failure: RelayFailure, requestId: string): RelayWireError {
  const { told } = RELAY_REASONS_TOLD[failure.reason]
  const answer = RELAY_ANSWERS[told]
  const { status } = answer
  const code = status === 503 ? 'ServiceUnavailable' : (failure.code ?? 'InvalidParameter')
  const innererror = { code: told, request_id: requestId }
  return { status, body: { error: { code, message: explainInWords(answer), innererror } } }
}
