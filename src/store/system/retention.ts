import { and, eq, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core'
import { type Argument, callOf, type Database, onlyRow } from '../drivers/database.ts'
import { encodeJson, encodeText } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { attestation, audit, outbox, spentContext, spentNonce } from '../schema/schema.ts'

/**
 * Kept longer than the nonce or context lives, for the clocks of several processes: one whose row is
 * gone must be too old on all of them.
 */
export const SPENT_NONCE_MARGIN_SECONDS = 3600

/**
 * Removal of what is no longer needed. Each call removes at most `batch` rows, says how many, and
 * skips what another process is removing: call again while the answer equals `batch`.
 */
export type Retention = {
  /** Spent nonces that expired more than `SPENT_NONCE_MARGIN_SECONDS` before `now`. */
  readonly removeSpentNonces: (now: Date, batch: number) => Promise<number>
  /** The same of spent service contexts. */
  readonly removeSpentContexts: (now: Date, batch: number) => Promise<number>
  readonly removeOldHistory: (input: HistoryToRemove) => Promise<number>
  readonly removeOldOutbox: (input: OutboxToRemove) => Promise<number>
  readonly removeOldAudit: (input: AuditToRemove) => Promise<number>
  /**
   * Archives devices that were seen last before the day of `before` (UTC) and whose evidence has ended,
   * never a quarantined one. Says how many.
   */
  readonly archiveIdleDevices: (input: DevicesToTidy) => Promise<number>
  /**
   * Removes devices that were archived before `before`, with their history; a part at a time where that
   * is long. Says how many it looked at: call again while that is more than none.
   */
  readonly removeArchivedDevices: (input: DevicesToTidy) => Promise<number>
}

export type DevicesToTidy = {
  readonly before: Date
  readonly now: Date
  readonly by: string
  readonly batch: number
}

export type HistoryToRemove = {
  readonly acceptedBefore: Date
  readonly refusedBefore: Date
  readonly batch: number
  /** So many of a device's newest accepted attestations stay, however old they are. */
  readonly keepLatest: number
}

export type OutboxToRemove = {
  readonly deliveredBefore: Date
  /** Events that nobody could be given for so long are of no use any more. */
  readonly undeliveredBefore: Date
  readonly batch: number
}

export type AuditToRemove = {
  readonly before: Date
  /**
   * Rows that only say that a device attested may go earlier than what people did: they are
   * thousands of times as many.
   */
  readonly attestationsBefore?: Date
  readonly batch: number
}

type Removal = {
  readonly table: PgTable
  /** Two columns that name a row. */
  readonly key: readonly [PgColumn, PgColumn]
  readonly condition: SQL | undefined
  readonly batch: number
}

const ARCHIVE = ['p_before', 'p_at', 'p_by', 'p_audit_ids'] as const
const REMOVE = ['p_before', 'p_at', 'p_by', 'p_rows', 'p_audit_ids'] as const
/** Rows of history of one device that one call removes. */
const HISTORY_ROWS = 1000

export function prepareRetention(db: Database): Retention {
  const callFor = <P extends string>(name: string, parameters: readonly P[]) => {
    const statement = db
      .select({ answer: sql<number>`answer` })
      .from(sql`${callOf(name, parameters)} as answer`)
      .prepare(name)
    return async (args: Readonly<Record<P, Argument>>) =>
      onlyRow(await statement.execute(args)).answer
  }
  const archive = callFor('archive_idle_devices', ARCHIVE)
  const removeArchived = callFor('remove_archived_devices', REMOVE)
  const remove = async ({ table, key, condition, batch }: Removal) => {
    const [device, row] = key
    // Locking rows keeps this from being folded into the deletion: the batch is chosen once.
    const picked = db.$with('picked').as(
      db
        .select({ device: sql`${device}`.as('device'), row: sql`${row}`.as('row') })
        .from(table)
        .where(condition)
        .limit(batch)
        .for('update', { skipLocked: true }),
    )
    const removed = await db
      .with(picked)
      .delete(table)
      .where(sql`(${device}, ${row}) in (select ${picked.device}, ${picked.row} from ${picked})`)
      .returning({ one: sql<number>`1` })
    return removed.length
  }

  const expired = (now: Date) => new Date(now.getTime() - SPENT_NONCE_MARGIN_SECONDS * 1000)

  return {
    removeSpentContexts(now, batch) {
      const key = [spentContext.contextId, spentContext.expiresAt] as const
      const condition = lt(spentContext.expiresAt, expired(now))
      return remove({ table: spentContext, key, condition, batch })
    },
    removeSpentNonces(now, batch) {
      const key = [spentNonce.deviceId, spentNonce.nonceId] as const
      const condition = lt(spentNonce.expiresAt, expired(now))
      return remove({ table: spentNonce, key, condition, batch })
    },
    removeOldHistory(input) {
      const key = [attestation.deviceId, attestation.attestationId] as const
      const { batch } = input
      return remove({ table: attestation, key, condition: oldHistory(input), batch })
    },
    removeOldOutbox({ deliveredBefore, undeliveredBefore, batch }) {
      const delivered = and(isNotNull(outbox.deliveredAt), lt(outbox.deliveredAt, deliveredBefore))
      const undelivered = and(isNull(outbox.deliveredAt), lt(outbox.createdAt, undeliveredBefore))
      const key = [outbox.deviceId, outbox.eventId] as const
      return remove({ table: outbox, key, condition: or(delivered, undelivered), batch })
    },
    archiveIdleDevices: (input) =>
      archive({ ...tidyArguments(input), p_before: input.before.toISOString().slice(0, 10) }),
    removeArchivedDevices: (input) =>
      removeArchived({ ...tidyArguments(input), p_rows: HISTORY_ROWS }),
    removeOldAudit({ before, attestationsBefore = before, batch }) {
      const key = [audit.deviceId, audit.auditId] as const
      const recorded = eq(audit.action, 'attestation.recorded')
      const condition = or(lt(audit.at, before), and(recorded, lt(audit.at, attestationsBefore)))
      return remove({ table: audit, key, condition, batch })
    },
  }
}

function tidyArguments({ before, now, by, batch }: DevicesToTidy) {
  return {
    p_before: before.toISOString(),
    p_at: now.toISOString(),
    p_by: encodeText(by),
    p_audit_ids: encodeJson(Array.from({ length: batch }, () => newRecordId(now))),
  }
}

function oldHistory({ acceptedBefore, refusedBefore, keepLatest }: HistoryToRemove) {
  const surplus = sql`exists (
    select from ${attestation} as newer
    where newer.device_id = ${attestation.deviceId} and newer.outcome = 'accepted'
      and (newer.at, newer.attestation_id) > (${attestation.at}, ${attestation.attestationId})
    offset ${Math.max(keepLatest, 1) - 1})`
  return or(
    and(eq(attestation.outcome, 'refused'), lt(attestation.at, refusedBefore)),
    and(
      eq(attestation.outcome, 'accepted'),
      lt(attestation.at, acceptedBefore),
      keepLatest > 0 ? surplus : undefined,
    ),
  )
}
