import { describeFault, type Log } from '../../base/log.ts'
import { createLogBudget } from '../../base/log-budget.ts'
import type { Metrics } from '../../base/metrics.ts'
import { type StoreFault, storeFaultOf } from '../../store/store-error.ts'
import type { HttpContext } from '../environment.ts'
import { answerUnhandled, surfaceOf } from './surface.ts'

export type FaultServices = {
  readonly log: Log
  readonly metrics: Pick<Metrics, 'faults' | 'storeFaults'>
  readonly clock: () => Date
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
}

/** Whoever is refused together must not come back together. */
const RETRY_LEAST_SECONDS = 1
const RETRY_SPREAD_SECONDS = 5
/** An outage fails every request: one line a second and kind says so, and how many it stands for. */
const OUTAGE_LINES = { lines: 1, everyMs: 1000 }

/**
 * The one place where a fault is answered, on every surface in its form: with an id to ask for and
 * nothing else. What keeps the database from answering for a while is 503 with `Retry-After`, and says
 * nothing about a device; everything else is 500.
 */
export function createFaultAnswers(
  services: FaultServices,
): (c: HttpContext, error: unknown) => Response {
  const outages = createLogBudget(services.log, OUTAGE_LINES)
  return (c, error) => {
    services.metrics.faults.labels(surfaceOf(c)).inc()
    const fields = {
      request_id: c.get('requestId'),
      path: c.req.path,
      ...describeFault(error),
    }
    const fault = storeFaultOf(error)
    if (fault !== undefined) {
      services.metrics.storeFaults.labels(fault).inc()
      outages.write(
        'error',
        'database_unavailable',
        fault,
        { kind: fault, ...fields },
        services.clock(),
      )
      return answerOutage(c, services, fault)
    }
    services.log.error('fault', fields)
    const detail = `the service failed; ask its operator about request ${c.get('requestId')}`
    return answerUnhandled(c, 'internal', detail)
  }
}

const WHY: Readonly<Record<StoreFault, string>> = {
  connection: 'its database cannot be reached',
  timeout: 'its database takes too long',
  lock: 'its database is busy with what this concerns',
  too_many: 'its database has no room for more',
  queue_full: 'too many wait for its database',
}

function answerOutage(c: HttpContext, { random }: FaultServices, fault: StoreFault): Response {
  const spread = (random(1)[0] ?? 0) % RETRY_SPREAD_SECONDS
  c.header('retry-after', String(RETRY_LEAST_SECONDS + spread))
  const why = `the service cannot answer at the moment: ${WHY[fault]}`
  return answerUnhandled(
    c,
    'unavailable',
    `${why}; try again, or ask about request ${c.get('requestId')}`,
  )
}
