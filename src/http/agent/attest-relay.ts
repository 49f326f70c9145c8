import type { RelayFailure } from '../../azure/failure.ts'
import type { AzureRelay } from '../../azure/relay.ts'
import { BUILT_IN } from '../../azure/settings.ts'
import { toRelayWireError } from '../../azure/wire.ts'
import { toBase64Url, toUtf8 } from '../../base/encoding.ts'
import type { Services } from '../../compose/services.ts'
import { isOwnRequest, type RelayableMessage } from '../../verifier/protocol/relayable-message.ts'
import type { HttpContext } from '../environment.ts'

/** Agents that are sent away come back spread over this much more than they were asked to wait. */
const SPREAD_SECONDS = 20
const SHORTEST_WAIT_SECONDS = 5
const LONGEST_WAIT_SECONDS = 300

/**
 * Hands a message to the verifiers of the configuration in their order.
 *
 * An initial message goes to the first that answers, so that the next one takes over where a
 * provider is down. A request goes back to whoever made its challenge: to our own verifier when it
 * sealed the service context, and otherwise to the providers, of which the others refuse it.
 * A refusal by a provider is an answer; its being down is none, and the agent is asked to come back.
 */
export async function relayMessage(
  c: HttpContext,
  services: Services,
  input: {
    readonly message: RelayableMessage
    readonly answerHere: () => Promise<Response>
  },
): Promise<Response> {
  const { message, answerHere } = input
  const { relays, config, verifier } = services
  const isInit = message.kind === 'init'
  const builtIn = config.verifiers.includes(BUILT_IN)
  if (!isInit && builtIn && isOwnRequest(message, verifier.keys.serviceContext)) return answerHere()
  const failures: RelayFailure[] = []
  for (const name of config.verifiers) {
    if (name === BUILT_IN) {
      if (isInit) return answerHere()
      continue
    }
    const relay = relays.get(name)
    if (relay === undefined) throw new TypeError(`no relay to ${name}`)
    const answer = await relay.attestTpm(message)
    report(c, services, { relay, failure: answer.ok ? undefined : answer.failure })
    if (answer.ok) {
      if (!isInit) await services.reports.examine(name, answer.value)
      return c.json({ data: toBase64Url(toUtf8(answer.value)) })
    }
    failures.push(answer.failure)
    // Said of the message where there is a challenge to be answered; of the provider's own state else.
    if (isInit && answer.failure.reason === 'provider_refused') break
  }
  return answerFailures(c, services, failures)
}

/** An outage of one provider outweighs the refusal of another that never made the challenge. */
function answerFailures(
  c: HttpContext,
  services: Services,
  failures: readonly RelayFailure[],
): Response {
  const outage = failures.find(({ reason }) => reason !== 'provider_refused')
  const failure = outage ?? failures[0] ?? { reason: 'provider_refused' }
  const { status, body } = toRelayWireError(failure)
  if (status === 503) c.header('retry-after', String(waitOf(services, failures)))
  return c.json(body, status)
}

/** The shortest wait after which some provider may answer. */
function waitOf(services: Services, failures: readonly RelayFailure[]): number {
  const asked = failures.map(({ retryAfterSeconds }) => retryAfterSeconds ?? SHORTEST_WAIT_SECONDS)
  const shortest = Math.max(SHORTEST_WAIT_SECONDS, Math.min(...asked))
  const spread = ((services.random(1)[0] ?? 0) / 256) * SPREAD_SECONDS
  return Math.ceil(Math.min(shortest, LONGEST_WAIT_SECONDS) + spread)
}

function report(
  c: HttpContext,
  services: Services,
  { relay, failure }: { readonly relay: AzureRelay; readonly failure: RelayFailure | undefined },
): void {
  const { metrics, log } = services
  const verifier = relay.url
  metrics.relayed.labels(verifier, failure?.reason ?? 'answered').inc()
  if (failure === undefined) return
  const { reason, code, providerRequestId } = failure
  const isOutage = reason !== 'provider_refused' && reason !== 'provider_circuit_open'
  log[isOutage ? 'warn' : 'info']('relay_failed', {
    request_id: c.get('requestId'),
    verifier,
    reason,
    provider_code: code,
    provider_request_id: providerRequestId,
  })
}
