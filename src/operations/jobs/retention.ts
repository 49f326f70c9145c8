import { describeFault } from '../../base/log.ts'
import type { Config } from '../../config/config.ts'
import { SERVICE } from '../../store/schema/system-schema.ts'
import type { Store } from '../../store/store.ts'
import { type DropDependencies, dropDeliveries } from '../signals/drop-deliveries.ts'
import { keepPartitions, type PartitionDependencies } from './partitions.ts'

export type RetentionDependencies = PartitionDependencies & {
  readonly store: Pick<
    Store,
    | 'archiveIdleDevices'
    | 'removeArchivedDevices'
    | 'waitingEvents'
    | 'settleEvents'
    | 'forgetQuestions'
    | 'forgetAnswers'
  > &
    DropDependencies['store']
  readonly config: Pick<Config, 'deviceIdleDays' | 'archivedDeviceDays'>
}

const DAY_MS = 86_400_000
const BATCH_ROWS = 1000
/** So that one run ends: what is left waits for the next one. */
const BATCHES_A_RUN = 50
const DEVICES_A_BATCH = 200
/** For so long a change may be sent again under its key, and is answered as before. */
const ANSWER_DAYS = 1
/** For so long an event waits for somebody to be given it. */
const EVENT_DAYS = 7

/**
 * One run of everything that has to be cleaned up: history by whole partitions, then what stands by
 * itself. Any number of processes may run it at any time, and a run that is killed leaves nothing behind.
 */
export async function runRetention(
  dependencies: RetentionDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { metrics, log } = dependencies
  await keepPartitions(dependencies, signal)
  for (const [name, tidy] of Object.entries(tidyingOf(dependencies))) {
    try {
      const rows = await tidyAll(tidy, signal)
      if (rows === 0) continue
      metrics.removed.labels(name).inc(rows)
      log.info('rows_removed', { job: name, rows })
    } catch (error) {
      // One that cannot run must not keep the others from it; the next run tries again.
      log.error('job_failed', { job: name, ...describeFault(error) })
    }
  }
}

/** Each does a batch and says how much it did. */
function tidyingOf({
  store,
  config,
  clock,
}: RetentionDependencies): Record<string, () => Promise<number>> {
  const now = clock()
  const ago = (days: number) => new Date(now.getTime() - days * DAY_MS)
  const expireEvents = async () => {
    const events = await store.waitingEvents({ createdBefore: ago(EVENT_DAYS), limit: BATCH_ROWS })
    return events.length === 0 ? 0 : store.settleEvents({ events, outcome: 'expired', now })
  }
  const always = {
    dropped_deliveries: () => dropDeliveries({ store, clock }, BATCH_ROWS),
    expired_events: expireEvents,
    kept_answers: () => store.forgetAnswers({ before: ago(ANSWER_DAYS), batch: BATCH_ROWS }),
    // Where none are to be kept, none of before are either, however young.
    ...(config.questionsDays === 0 && { questions: store.forgetQuestions }),
  }
  if (config.deviceIdleDays === 0) return always
  const by = SERVICE
  const [idle, archived] = [ago(config.deviceIdleDays), ago(config.archivedDeviceDays)]
  return {
    ...always,
    idle_devices_archived: () =>
      store.archiveIdleDevices({ before: idle, now, by, batch: BATCH_ROWS }),
    archived_devices: () =>
      store.removeArchivedDevices({ before: archived, now, by, batch: DEVICES_A_BATCH }),
  }
}

async function tidyAll(tidy: () => Promise<number>, signal: AbortSignal): Promise<number> {
  let all = 0
  for (let run = 0; run < BATCHES_A_RUN && !signal.aborted; run++) {
    const rows = await tidy()
    all += rows
    if (rows === 0) break
  }
  return all
}
