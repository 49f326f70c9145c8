import { sql } from 'drizzle-orm'
import { callOf, type Database, onlyRow, prepareChange } from '../drivers/database.ts'
import { PARTITIONED, type PartitionedTable } from '../schema/partitioned.ts'

/** History lies in partitions by time (`PARTITIONED`): made ahead, and dropped whole. */
export type Partitions = {
  /**
   * Makes the partitions of a table for `now` and as many periods as are made ahead, and drops the oldest
   * if nothing in it is as young as `before`: call again while one was dropped. Rows for which there is
   * no partition are in the default one, and are answered as others are. Of the audit log none is dropped that
   * has rows of the last `AUDIT_DAYS` by the clock of the database, and none until a day after its end stands in
   * the log and in its tree.
   *
   * Any number of processes may call it; one works at a time, and the others find nothing to do.
   */
  readonly keepPartitions: (input: PartitionsToKeep) => Promise<KeptPartitions>
  /**
   * Removes rows older than `before` from the default partition, a few minutes' worth of the oldest. Says how
   * many: call again while that is more than none.
   */
  readonly clearDefaultPartition: (input: PartitionsToKeep) => Promise<number>
}

export type PartitionsToKeep = {
  readonly table: PartitionedTable
  readonly before: Date
  readonly now: Date
}

export type KeptPartitions = {
  readonly made: number
  /** The name of the partition that was dropped. */
  readonly dropped: string | null
  /**
   * How many of the periods have no partition, `null` if another process is at work, and what the
   * database said when one was to be made.
   */
  readonly missing: number | null
  readonly fault: string | null
  /** Whether rows of a period had come before its partition was made. */
  readonly isLate: boolean
}

const KEEP = ['p_table', 'p_column', 'p_width', 'p_ahead', 'p_before', 'p_now'] as const
const CLEAR = ['p_table', 'p_column', 'p_before', 'p_now'] as const

export function preparePartitions(db: Database): Partitions {
  const keep = db
    .select({
      made: sql<number>`made`,
      dropped: sql<string | null>`dropped`,
      missing: sql<number | null>`missing`,
      fault: sql<string | null>`fault`,
      isLate: sql<boolean>`is_late`,
    })
    .from(callOf('keep_partitions', KEEP))
    .prepare('keep_partitions')
  const clear = prepareChange<(typeof CLEAR)[number], number>(db, 'clear_default_partition', CLEAR)

  return {
    async keepPartitions({ table, before, now }) {
      const { column, hours, ahead } = PARTITIONED[table]
      return onlyRow(
        await keep.execute({
          p_table: table,
          p_column: column,
          p_width: `${hours} hours`,
          p_ahead: ahead,
          p_before: before.toISOString(),
          p_now: now.toISOString(),
        }),
      )
    },
    clearDefaultPartition: ({ table, before, now }) =>
      clear({
        p_table: table,
        p_column: PARTITIONED[table].column,
        p_before: before.toISOString(),
        p_now: now.toISOString(),
      }),
  }
}
