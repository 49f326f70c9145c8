import { and, isNotNull, sql } from 'drizzle-orm'
import type { EntityName } from '../../access/directory.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import { foldText } from '../../base/fold-text.ts'
import { decodeEntries, encodeNames, entriesOf } from '../directory/entries.ts'
import type { Database } from '../drivers/database.ts'
import { encodeText } from '../json.ts'
import { device } from '../schema/device-schema.ts'
import {
  inForceColumns,
  inForceOf,
  type ReadBeside,
  recordColumns,
  type TrustRecordReads,
  toTrustRecord,
} from './trust-records.ts'

/** Reads of trust records for callers that know no device by its id. */
export type FoundRecordReads = {
  /**
   * The records of devices with one of these owners or serial numbers, at most `most` of them and in no order,
   * with what steers decisions at that moment and the entities that are asked for. Each text is looked up in
   * an index, so that it costs what it finds and not the fleet. Where nothing is found, what stands beside
   * the records is read by a second statement.
   */
  readonly findTrustRecords: (query: RecordQuery) => Promise<FoundRecords>
}

export type RecordQuery = {
  readonly by: 'owner' | 'serial'
  /** Letter case does not count (`foldText`). */
  readonly texts: readonly string[]
  readonly most: number
  readonly entities?: readonly EntityName[] | undefined
}

export type FoundRecords = ReadBeside & { readonly found: readonly FoundRecord[] }

/** `name`: what it was found by, folded. */
export type FoundRecord = { readonly record: TrustRecord; readonly name: string }

const COLUMNS = { owner: device.ownerFolded, serial: device.serialFolded } as const

export function prepareFoundRecordReads(
  db: Database,
  { trustRecord }: Pick<TrustRecordReads, 'trustRecord'>,
): FoundRecordReads {
  const byOwner = prepareSearch(db, 'owner')
  const bySerial = prepareSearch(db, 'serial')
  return {
    async findTrustRecords({ by, texts, most, entities = [] }) {
      const search = by === 'owner' ? byOwner : bySerial
      const names = encodeNames(entities)
      const rows = await search.execute({ texts: encodeTexts(texts), most, names })
      const [first] = rows
      if (first === undefined) {
        const { record: _, ...beside } = await trustRecord('', entities)
        return { found: [], ...beside }
      }
      const found = rows.map((row) => ({ record: toTrustRecord(row), name: row.name ?? '' }))
      const entries = rows.find((row) => row.entries !== null)?.entries ?? null
      return { found, ...inForceOf(first), entries: decodeEntries(entries) }
    },
  }
}

function prepareSearch(db: Database, by: RecordQuery['by']) {
  const column = COLUMNS[by]
  // One row carries the entities for all: else they would come once for each device.
  const carried = sql<string | null>`case when row_number() over () = 1 then ${entriesOf()} end`
  return db
    .select({ ...recordColumns, ...inForceColumns, name: column, entries: carried })
    .from(device)
    .where(and(isNotNull(column), sql`${column} = any(${sql.placeholder('texts')}::text[])`))
    .limit(sql.placeholder('most'))
    .prepare(`trust_records_by_${by}`)
}

/** As the literal of an array (PostgreSQL §8.15.2), which every driver sends alike. */
function encodeTexts(texts: readonly string[]): string {
  const items = texts.map((text) => foldText(encodeText(text)).replace(/["\\]/g, '\\$&'))
  return `{${items.map((item) => `"${item}"`).join()}}`
}
