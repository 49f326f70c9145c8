import type { Log } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { DeviceLimiter } from '../../operations/attest/device-limiter.ts'
import type { HttpContext } from '../environment.ts'

/** What all ids that no client has are counted under: whoever invents them fills nothing. */
export const NOBODY = 'unknown'

/** Where refused clients are noted. */
export type RefusalServices = {
  /** Requests whose credentials or scope were refused, by client. */
  readonly clientRefusals: DeviceLimiter
  readonly metrics: Metrics
  readonly log: Log
  readonly clock: () => Date
}

/**
 * Counts a refused client, and up to a limit for each logs it. Answers how many seconds the client has to
 * wait, or 0.
 */
export function noteClientRefusal(
  c: HttpContext,
  { metrics, log, clientRefusals, clock }: RefusalServices,
  refusal: {
    /** The id of a client that there is, or `NOBODY`; `undefined` if none was given. */
    readonly client: string | undefined
    readonly reason: string
    /** What was asked for. */
    readonly scope: string
  },
): number {
  const { client, reason, scope } = refusal
  metrics.clientRefusals.inc({ reason })
  // Without credentials nobody was guessed at: crawlers and checks of health do that all day.
  if (client === undefined) return 0
  const wait = clientRefusals.charge(client, clock())
  if (wait === 0) {
    log.warn('client_refused', { request_id: c.get('requestId'), client, reason, scope })
  }
  return wait
}
