import type { Log } from '../base/log.ts'
import { createLogBudget } from '../base/log-budget.ts'
import type { Metrics } from '../base/metrics.ts'
import { createRandomSource } from '../base/random.ts'
import type { Config } from '../config/config.ts'
import { answerUnavailable } from '../http/errors/unavailable.ts'
import type { BreakGlassUses } from '../operations/audit/break-glass-uses.ts'
import { breakGlassWithoutStore } from './break-glass.ts'

/** An outage is told once a second, however many ask. */
const OUTAGE_LINES = { lines: 1, everyMs: 1000 }

/** What a process answers that waits for its database: that it runs, its metrics, break-glass, and 503. */
export async function answerWithoutDatabase(input: {
  readonly config: Config
  readonly log: Log
  readonly metrics: Metrics
  readonly breakGlassUses: BreakGlassUses
  readonly clock: () => Date
}): Promise<(request: Request) => Promise<Response>> {
  const { config, log, metrics, breakGlassUses, clock } = input
  const outages = createLogBudget(log, OUTAGE_LINES)
  const random = createRandomSource()
  const openBreakGlass = await breakGlassWithoutStore(config, {
    ...{ log, metrics, breakGlassUses, clock, logBudget: createLogBudget(log) },
  })
  const report = (requestId: string) => {
    metrics.storeFaults.inc({ kind: 'connection' })
    const fields = { kind: 'connection', request_id: requestId }
    outages.write('error', 'database_unavailable', 'connection', fields, clock())
  }
  return (request) => answerUnavailable(request, { random, report, metrics, openBreakGlass })
}
