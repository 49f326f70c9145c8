import type { RelayFailure } from '../../azure/failure.ts'
import type { AzureRelay } from '../../azure/relay.ts'
import { BUILT_IN } from '../../azure/settings.ts'
import type { Log } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Config } from '../../config/config.ts'
import { type AttestMessage, isOwnRequest } from '../../verifier/protocol/attest-message.ts'
import type { VerifierKeys } from '../../verifier/verifier.ts'
import type { ReportExaminer } from './examine-report.ts'

export type RelayDependencies = {
  /** By URL, one for each Azure provider among the configured verifiers. */
  readonly relays: ReadonlyMap<string, AzureRelay>
  /** Whether the tokens of a provider are believed that it gave this process. */
  readonly reports: ReportExaminer
  readonly config: Pick<Config, 'verifiers'>
  readonly sealing: Pick<VerifierKeys, 'serviceContext'>
  readonly metrics: Pick<Metrics, 'relayed'>
  readonly log: Log
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
}

/** Who answers. The answer of a provider is inner JSON text, checked for its shape; else unverified. */
export type Relayed = { readonly by: 'provider'; readonly answer: string } | { readonly by: 'us' }

/** Agents that are sent away come back spread over this much more than they were asked to wait. */
const SPREAD_SECONDS = 20
const SHORTEST_WAIT_SECONDS = 5
const LONGEST_WAIT_SECONDS = 300

/**
 * Hands a message, read and unverified, to the verifiers of the configuration in their order.
 *
 * An initial message goes to the first that answers, so that the next one takes over where a
 * provider is down. A request goes back to whoever made its challenge: to our own verifier when it
 * sealed the service context, and otherwise to the providers, of which the others refuse it.
 * A refusal by a provider is an answer; its being down is none, and the agent is asked to come back.
 * Nothing is written but what an answer shows of the provider that gave it.
 */
export async function relayMessage(
  dependencies: RelayDependencies,
  message: AttestMessage,
  requestId: string,
): Promise<Result<Relayed, RelayFailure>> {
  const { relays, reports, config, sealing } = dependencies
  const isInit = message.kind === 'init'
  const isOurs = config.verifiers.includes(BUILT_IN)
  if (isOurs && isOwnRequest(message, sealing.serviceContext)) return ok({ by: 'us' })
  const failures: RelayFailure[] = []
  for (const name of config.verifiers) {
    if (name === BUILT_IN) {
      if (isInit) return ok({ by: 'us' })
      continue
    }
    const relay = relays.get(name)
    if (relay === undefined) throw new TypeError(`no relay to ${name}`)
    const answer = await relay.attestTpm(message)
    report(dependencies, { relay, failure: answer.ok ? undefined : answer.failure, requestId })
    if (answer.ok) {
      if (!isInit) await reports.examine(name, answer.value)
      return ok({ by: 'provider', answer: answer.value })
    }
    failures.push(answer.failure)
    // Said of the message where there is a challenge to be answered; of the provider's own state else.
    if (isInit && answer.failure.reason === 'provider_refused') break
  }
  return err(summarize(dependencies, failures))
}

/** An outage of one provider outweighs the refusal of another that never made the challenge. */
function summarize({ random }: RelayDependencies, failures: readonly RelayFailure[]): RelayFailure {
  const outage = failures.find(({ reason }) => reason !== 'provider_refused')
  if (outage === undefined) return failures[0] ?? { reason: 'provider_refused' }
  // The shortest wait after which some provider may answer.
  const asked = failures.map(({ retryAfterSeconds }) => retryAfterSeconds ?? SHORTEST_WAIT_SECONDS)
  const shortest = Math.max(SHORTEST_WAIT_SECONDS, Math.min(...asked))
  const spread = ((random(1)[0] ?? 0) / 256) * SPREAD_SECONDS
  const retryAfterSeconds = Math.ceil(Math.min(shortest, LONGEST_WAIT_SECONDS) + spread)
  return { ...outage, retryAfterSeconds }
}

function report(
  { metrics, log }: RelayDependencies,
  outcome: {
    readonly relay: AzureRelay
    readonly failure: RelayFailure | undefined
    readonly requestId: string
  },
): void {
  const { relay, failure, requestId } = outcome
  const verifier = relay.url
  metrics.relayed.labels(verifier, failure?.reason ?? 'answered').inc()
  if (failure === undefined) return
  const { reason, code, providerRequestId } = failure
  const isOutage = reason !== 'provider_refused' && reason !== 'provider_circuit_open'
  log[isOutage ? 'warn' : 'info']('relay_failed', {
    request_id: requestId,
    verifier,
    reason,
    provider_code: code,
    provider_request_id: providerRequestId,
  })
}
