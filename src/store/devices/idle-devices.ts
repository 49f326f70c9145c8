import { sql } from 'drizzle-orm'
import { callOf, type Database, onlyRow } from '../drivers/database.ts'
import { encodeJson, encodeText } from '../json.ts'
import { newRecordId } from '../record-id.ts'

/** What becomes of devices that nobody sees any more. */
export type IdleDevices = {
  /**
   * Archives devices that were seen last before the day of `before` (UTC) and whose evidence has ended,
   * never a quarantined one, at most `batch` of them. Says how many: call again while that is more than
   * none.
   */
  readonly archiveIdleDevices: (input: DevicesToTidy) => Promise<number>
  /**
   * Removes devices that were archived before `before`, at most `batch` of them; their history goes with
   * its partitions. Says how many it looked at: call again while that is more than none.
   */
  readonly removeArchivedDevices: (input: DevicesToTidy) => Promise<number>
}

export type DevicesToTidy = {
  readonly before: Date
  readonly now: Date
  readonly by: string
  readonly batch: number
}

const TIDY = ['p_before', 'p_at', 'p_by', 'p_audit_ids'] as const

export function prepareIdleDevices(db: Database): IdleDevices {
  const tidy = (name: string, toBefore: (before: Date) => string) => {
    const statement = db
      .select({ devices: sql<number>`devices` })
      .from(sql`${callOf(name, TIDY)} as devices`)
      .prepare(name)
    return async ({ before, now, by, batch }: DevicesToTidy) => {
      const rows = await statement.execute({
        p_before: toBefore(before),
        p_at: now.toISOString(),
        p_by: encodeText(by),
        p_audit_ids: encodeJson(Array.from({ length: batch }, () => newRecordId(now))),
      })
      return onlyRow(rows).devices
    }
  }
  return {
    archiveIdleDevices: tidy('archive_idle_devices', (before) => before.toISOString().slice(0, 10)),
    removeArchivedDevices: tidy('remove_archived_devices', (before) => before.toISOString()),
  }
}
