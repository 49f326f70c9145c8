import { describeFault } from '../../base/log.ts'
import type { Services } from '../../compose/services.ts'
import { SERVICE } from '../release/drive-rollout.ts'

const DAY_MS = 86_400_000
const BATCH_ROWS = 1000
/** So that one run ends: what is left waits for the next one. */
const BATCHES_A_RUN = 50
/** Each with up to a thousand rows of history. */
const DEVICES_A_BATCH = 20
const HISTORY_KEPT_PER_DEVICE = 5
const OUTBOX_DAYS = 7
const AUDIT_DAYS = 730

/**
 * One run of everything that has to be cleaned up. Any number of processes may run it at any time:
 * each batch is claimed in the database, and a run that is killed leaves nothing behind.
 */
export async function runJobs(services: Services, signal: AbortSignal): Promise<void> {
  const { store, config } = services
  const now = services.clock()
  const ago = (days: number) => new Date(now.getTime() - days * DAY_MS)
  const batch = BATCH_ROWS
  const jobs: Readonly<Record<string, () => Promise<number>>> = {
    spent_nonces: () => store.removeSpentNonces(now, batch),
    spent_contexts: () => store.removeSpentContexts(now, batch),
    history: () =>
      store.removeOldHistory({
        acceptedBefore: ago(config.historyDays),
        refusedBefore: ago(config.refusalDays),
        batch,
        keepLatest: HISTORY_KEPT_PER_DEVICE,
      }),
    outbox: () =>
      store.removeOldOutbox({
        deliveredBefore: ago(OUTBOX_DAYS),
        undeliveredBefore: ago(OUTBOX_DAYS),
        batch,
      }),
    ...(config.deviceIdleDays > 0 && {
      idle_devices_archived: () =>
        store.archiveIdleDevices({ before: ago(config.deviceIdleDays), now, by: SERVICE, batch }),
      archived_devices: () =>
        store.removeArchivedDevices({
          before: ago(config.archivedDeviceDays),
          now,
          by: SERVICE,
          batch: DEVICES_A_BATCH,
        }),
    }),
    audit: () =>
      store.removeOldAudit({
        before: ago(AUDIT_DAYS),
        attestationsBefore: ago(config.historyDays),
        batch,
      }),
  }
  for (const [name, remove] of Object.entries(jobs)) {
    try {
      const removed = await removeAll(remove, signal)
      if (removed === 0) continue
      services.metrics.removed.labels(name).inc(removed)
      services.log.info('rows_removed', { job: name, rows: removed })
    } catch (error) {
      // One that cannot run must not keep the others from it; the next run tries again.
      services.log.error('job_failed', { job: name, ...describeFault(error) })
    }
  }
}

async function removeAll(remove: () => Promise<number>, signal: AbortSignal): Promise<number> {
  let removed = 0
  for (let run = 0; run < BATCHES_A_RUN && !signal.aborted; run++) {
    const rows = await remove()
    removed += rows
    if (rows === 0) break
  }
  return removed
}

/** Runs something again and again, with a spread so that processes do not run it together. */
export function startJob(
  run: (signal: AbortSignal) => Promise<void>,
  options: {
    readonly everyMs: number
    /** Fresh random bytes. */
    readonly random: (length: number) => Uint8Array
  },
): { readonly stop: () => Promise<void> } {
  const stopping = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  const schedule = () => {
    const spread = options.everyMs * (0.5 + (options.random(1)[0] ?? 0) / 256)
    timer = setTimeout(() => {
      running = run(stopping.signal).finally(schedule)
    }, spread)
    timer.unref()
  }
  schedule()
  return {
    async stop() {
      stopping.abort()
      clearTimeout(timer)
      await running
      clearTimeout(timer)
    },
  }
}
