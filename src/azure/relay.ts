import { err, type Result } from '../base/result.ts'
import { type AgentMessage, writeAgentMessage } from '../verifier/protocol/protocol.ts'
import { type AnswerKind, readAnswer, readErrorCode } from './answer.ts'
import {
  type Admission,
  admitBystander,
  admitCall,
  type Circuit,
  type CircuitSettings,
  CLOSED_CIRCUIT,
  settleCall,
} from './circuit-breaker.ts'
import type { RelayFailure } from './failure.ts'
import {
  FAILURES_TO_OPEN,
  FIRST_COOL_DOWN_MS,
  MAX_COOL_DOWN_MS,
  MAX_PROVIDER_REQUEST_ID_CHARS,
  MAX_TOTAL_TIMEOUTS,
} from './limits.ts'
import { type Attempt, readRetryAfter, repeatSafely } from './retry.ts'
import { type ProviderCredential, sendTpmMessage, type TpmOutcome } from './tpm-client.ts'

/** One provider of Azure Attestation, to which messages of the TPM protocol are passed on. */
export type AzureRelay = {
  readonly url: string
  /**
   * Passes on one message, written anew. An initial message is repeated where that may help and is
   * answered by a challenge; a request is not and is answered by a report. The answer is the inner
   * JSON text, checked for shape and size; the report in it is unverified. Takes at most
   * `MAX_TOTAL_TIMEOUTS` times the timeout.
   *
   * All initial messages are the same text, so whoever asks for one to be sent has no say in how the
   * provider answers it: they alone tell whether it is up. What becomes of a request tells nothing,
   * because an agent of any kind chose what is in it.
   */
  readonly attestTpm: (message: AgentMessage) => Promise<Result<string, RelayFailure>>
  /** What initial messages found. `since`: of the first failure of the outage. */
  readonly state: () => { readonly available: boolean; readonly since: Date | undefined }
}

export type AzureRelayInput = {
  /** Without a path, `https` only. */
  readonly url: string
  /** `undefined`: the provider asks for no token. */
  readonly credential: ProviderCredential | undefined
  readonly scope: string
  /** For one try of one message, a token of Entra included. */
  readonly timeoutMs: number
  readonly clock: () => Date
  /** From 0 to less than 1. */
  readonly random: () => number
  readonly wait?: (ms: number) => Promise<void>
  readonly fetch?: typeof fetch
}

const delay = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/**
 * Throws TypeError for a URL that is not `https`, before any message could be sent there in the
 * clear. Between requests only plain data is kept: the state of the circuit.
 */
export function createAzureRelay(input: AzureRelayInput): AzureRelay {
  const { url, clock, timeoutMs } = input
  if (!url.startsWith('https://') || new URL(url).origin !== url) {
    throw new TypeError('a provider is named by an https origin')
  }
  const settings: CircuitSettings = {
    failuresToOpen: FAILURES_TO_OPEN,
    firstCoolDownMs: FIRST_COOL_DOWN_MS,
    maxCoolDownMs: MAX_COOL_DOWN_MS,
    maxTrialMs: timeoutMs * MAX_TOTAL_TIMEOUTS,
  }
  let circuit: Circuit = CLOSED_CIRCUIT

  const settle = (epoch: number, failure: RelayFailure | undefined) => {
    const outcome =
      failure === undefined || isSignOfLife(failure)
        ? { succeeded: true as const }
        : { succeeded: false as const, retryAfterMs: (failure.retryAfterSeconds ?? 0) * 1000 }
    circuit = settleCall(circuit, { epoch, outcome, now: clock().getTime() }, settings)
  }
  const admitInit = (): Admission => {
    const asked = admitCall(circuit, clock().getTime(), settings)
    circuit = asked.circuit
    return asked.admission
  }

  return {
    url,
    async attestTpm(message) {
      const isInit = message.kind === 'init'
      const admission = isInit ? admitInit() : admitBystander(circuit, clock().getTime())
      if (!admission.admitted) {
        const retryAfterSeconds = Math.max(1, Math.ceil(admission.waitMs / 1000))
        return err({ reason: 'provider_circuit_open', retryAfterSeconds })
      }
      if (!isInit) return await relayMessage(input, message)
      let failure: RelayFailure | undefined = { reason: 'provider_failed' }
      try {
        const result = await relayMessage(input, message)
        failure = result.ok ? undefined : result.failure
        return result
      } finally {
        settle(admission.epoch, failure)
      }
    },
    state() {
      const available = circuit.open === undefined
      const since = available ? undefined : new Date(circuit.failingSince ?? 0)
      return { available, since }
    },
  }
}

/**
 * A provider that answers in its own form is up. That it is busy can be the doing of whoever sends
 * too much; the message that was turned away waits, and nobody else for it.
 */
export function isSignOfLife({ reason }: RelayFailure): boolean {
  return reason === 'provider_refused' || reason === 'provider_throttled'
}

async function relayMessage(
  input: AzureRelayInput,
  relayed: AgentMessage,
): Promise<Result<string, RelayFailure>> {
  const { url, credential, scope, timeoutMs, clock, random, wait = delay } = input
  const send: typeof fetch = input.fetch ?? ((...request) => fetch(...request))
  const repeatable = relayed.kind === 'init'
  const kind = repeatable ? 'challenge' : 'report'
  const message = writeAgentMessage(relayed)
  const attempt = async (limitMs: number) => {
    const one = { url, message, credential, scope, timeoutMs: limitMs, fetch: send }
    const outcome = await sendTpmMessage(one)
    const result = judgeOutcome(outcome, kind, clock())
    return asAttempt(result, repeatable || !mayHaveArrived(outcome))
  }
  return await repeatSafely({ attempt, timeoutMs, clock, random, wait })
}

/** Failures that the next try need not meet. */
const PASSING: readonly RelayFailure['reason'][] = [
  'provider_unreachable',
  'provider_timed_out',
  'provider_throttled',
  'provider_failed',
]

function asAttempt(
  result: Result<string, RelayFailure>,
  isSafe: boolean,
): Attempt<string, RelayFailure> {
  if (result.ok) return { result, mayRepeat: false }
  const { reason, retryAfterSeconds } = result.failure
  return { result, mayRepeat: isSafe && PASSING.includes(reason), retryAfterSeconds }
}

function mayHaveArrived(outcome: TpmOutcome): boolean {
  if (outcome.kind === 'no_token') return false
  return outcome.kind === 'lost' || outcome.kind === 'timed_out' ? outcome.sent : true
}

function judgeOutcome(
  outcome: TpmOutcome,
  kind: AnswerKind,
  now: Date,
): Result<string, RelayFailure> {
  switch (outcome.kind) {
    case 'no_token':
      return err(outcome.failure)
    case 'timed_out':
      return err({ reason: 'provider_timed_out' })
    case 'lost':
      return err({ reason: 'provider_unreachable' })
    case 'oversized':
      return err({ reason: 'provider_answer_malformed' })
    case 'answered':
      return judgeAnswer(outcome, kind, now)
  }
}

function judgeAnswer(
  answer: Extract<TpmOutcome, { kind: 'answered' }>,
  kind: AnswerKind,
  now: Date,
): Result<string, RelayFailure> {
  const { status, headers, body = '' } = answer
  const read = status === 200 ? readAnswer(body, kind) : undefined
  if (read?.ok) return read
  const error = readErrorCode(body)
  const requestId = readRequestId(headers.get('x-ms-request-id'))
  const retryAfterSeconds = readRetryAfter(headers.get('retry-after') ?? '', now)
  return err({
    reason: read?.failure.reason ?? reasonOfStatus(status, error !== undefined),
    ...(error?.known !== undefined && { code: error.known }),
    ...(requestId !== undefined && { providerRequestId: requestId }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  })
}

/** A refusal of evidence counts only in Azure's own form, so that no proxy on the way can utter it. */
function reasonOfStatus(status: number, isAzureError: boolean): RelayFailure['reason'] {
  if (status === 400 && isAzureError) return 'provider_refused'
  if (status === 401 || status === 403) return 'provider_credential_refused'
  // Said of the agent's message by whatever stands before Azure; not a fault that time repairs.
  if (status === 413) return 'provider_refused'
  if (status === 408) return 'provider_timed_out'
  if (status === 429) return 'provider_throttled'
  return status > 400 ? 'provider_failed' : 'provider_answer_malformed'
}

const REQUEST_ID = new RegExp(`^[A-Za-z0-9+/=_.:|-]{1,${MAX_PROVIDER_REQUEST_ID_CHARS}}$`)

function readRequestId(header: string | null): string | undefined {
  return header !== null && REQUEST_ID.test(header) ? header : undefined
}
