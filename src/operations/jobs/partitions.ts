import { describeFault, type Log } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import {
  AUDIT_DAYS,
  PARTITIONED_TABLES,
  type PartitionedTable,
} from '../../store/schema/partitioned.ts'
import type { Store } from '../../store/store.ts'

export type PartitionDependencies = {
  readonly store: Pick<Store, 'keepPartitions' | 'clearDefaultPartition'>
  readonly clock: () => Date
  readonly metrics: Pick<Metrics, 'partitionsMissing' | 'partitionsDropped' | 'removed'>
  readonly log: Log
  readonly config: RetentionDays
}

/** How long attempts to attest are kept, in days, accepted ones and refused ones; and questions. */
export type RetentionDays = {
  readonly historyDays: number
  readonly refusalDays: number
  /** Of questions. */
  readonly questionsDays: number
}

const DAY_MS = 86_400_000
/**
 * Kept longer than a nonce, a service context or a proof lives, for the clocks of several processes: one whose row
 * is gone must be too old on all of them.
 */
const SPENT_MARGIN_DAYS = 1 / 24
const SETTLED_EVENT_DAYS = 7
/** So that one run ends: what is left waits for the next one. */
const CALLS_A_RUN = 50

/**
 * Makes the partitions that are to come and drops those in which everything is older than it is to be
 * kept. Any number of processes may run it at any time, and each may die anywhere: a partition is made or
 * dropped whole. That one is missing is told (`partition_missing`, `countersign_partitions_missing`) and
 * refuses nothing: its rows go to the default partition, and leave that row by row when they are old.
 */
export async function keepPartitions(
  dependencies: PartitionDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { log } = dependencies
  const days = daysToKeep(dependencies.config)
  for (const table of PARTITIONED_TABLES) {
    if (signal.aborted) return
    try {
      await keepTable(dependencies, { table, days: days[table], signal })
    } catch (error) {
      // One that cannot be looked after must not keep the others from it; the next run tries again.
      log.error('job_failed', { job: 'partitions', table, ...describeFault(error) })
    }
  }
}

/** Makes them and drops nothing: for a start, before there is anything that could need a place. */
export async function makePartitions({
  store,
  clock,
  log,
}: Pick<PartitionDependencies, 'store' | 'clock' | 'log'>): Promise<void> {
  const nothing = new Date(0)
  for (const table of PARTITIONED_TABLES) {
    try {
      await store.keepPartitions({ table, before: nothing, now: clock() })
    } catch (error) {
      // No reason not to start: rows find their place without, and the job rings.
      log.error('job_failed', { job: 'partitions', table, ...describeFault(error) })
    }
  }
}

function daysToKeep({
  historyDays,
  refusalDays,
  questionsDays,
}: RetentionDays): Record<PartitionedTable, number> {
  return {
    attestation: historyDays,
    refusal: refusalDays,
    question: questionsDays,
    audit: AUDIT_DAYS,
    settled_event: SETTLED_EVENT_DAYS,
    spent_nonce: SPENT_MARGIN_DAYS,
    spent_context: SPENT_MARGIN_DAYS,
    spent_proof: SPENT_MARGIN_DAYS,
    sign_in: SPENT_MARGIN_DAYS,
    person_session: SPENT_MARGIN_DAYS,
  }
}

async function keepTable(
  { store, clock, metrics, log }: PartitionDependencies,
  { table, days, signal }: { table: PartitionedTable; days: number; signal: AbortSignal },
): Promise<void> {
  const now = clock()
  const before = new Date(now.getTime() - days * DAY_MS)
  for (let call = 0; call < CALLS_A_RUN && !signal.aborted; call++) {
    const { made, dropped, missing, fault, isLate } = await store.keepPartitions({
      ...{ table, before, now },
    })
    if (missing === null) break
    metrics.partitionsMissing.labels(table).set(missing)
    if (missing > 0 || isLate) {
      log.error('partition_missing', { table, missing, fault, rows_came_before: isLate })
    }
    if (made > 0) log.info('partitions_made', { table, partitions: made })
    if (dropped === null) break
    metrics.partitionsDropped.labels(table).inc()
    log.info('partition_dropped', { table, partition: dropped })
  }
  let removed = 0
  for (let call = 0; call < CALLS_A_RUN && !signal.aborted; call++) {
    const rows = await store.clearDefaultPartition({ table, before, now })
    removed += rows
    if (rows === 0) break
  }
  if (removed > 0) metrics.removed.labels(table).inc(removed)
  if (removed > 0) log.info('rows_removed', { job: table, rows: removed })
}
