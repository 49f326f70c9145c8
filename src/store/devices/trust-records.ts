import { eq, type SQL, sql } from 'drizzle-orm'
import type { DirectoryEntries, EntityName } from '../../access/directory.ts'
import type { RecordedAttestation, TrustRecord } from '../../access/trust-record.ts'
import type { DocumentHash } from '../../base/document-hash.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import { decodeEntries, encodeNames, entriesOf } from '../directory/entries.ts'
import { type Database, onlyRow } from '../drivers/database.ts'
import { device } from '../schema/device-schema.ts'
import { activeDocument, control } from '../schema/steering-schema.ts'
import { readLinks } from './read-links.ts'

/** What a decision is made from, read in one round trip. */
export type TrustRecordReads = {
  /**
   * The trust record of one device, or `null` if it was never seen, with the hashes of the active
   * policy and reference values at that same moment. Any text may be asked for. A further name of a
   * device (`link_device`) answers the record of that device, under its own id.
   *
   * With `entities` the same statement looks these up in the directory, too: it is another statement than
   * without, so that nobody pays for a directory that no policy reads.
   */
  readonly trustRecord: (
    deviceId: string,
    entities?: readonly EntityName[],
  ) => Promise<TrustRecordAnswer>
  /** The same for several devices in one statement. What was never seen is not in the map. */
  readonly trustRecords: (
    deviceIds: readonly string[],
    entities?: readonly EntityName[],
  ) => Promise<TrustRecordsAnswer>
}

/** What was read beside the records: `entries` where entities of the directory were asked for. */
export type ReadBeside = InForceRevision & { readonly entries?: DirectoryEntries }

export type TrustRecordAnswer = ReadBeside & { readonly record: TrustRecord | null }

export type TrustRecordsAnswer = ReadBeside & {
  readonly records: ReadonlyMap<string, TrustRecord>
}

export type ActiveHashes = {
  readonly policyHash: DocumentHash | null
  readonly referenceValuesHash: DocumentHash | null
}

/** What steers decisions at the moment of a read. */
export type InForceRevision = ActiveHashes & {
  /** Of everything else that does (`control`). */
  readonly controlRevision: number
}

/** The columns of `device` that make a trust record. */
export const recordColumns = {
  deviceId: device.deviceId,
  keyKind: device.keyKind,
  enrolment: device.enrolment,
  owner: device.owner,
  entraDeviceId: device.entraDeviceId,
  labels: device.labels,
  ring: device.ring,
  quarantinedAt: device.quarantinedAt,
  quarantinedBy: device.quarantinedBy,
  quarantineReason: device.quarantineReason,
  attestationId: device.attestationId,
  attestedAt: device.attestedAt,
  validUntil: device.validUntil,
  issuer: device.issuer,
  attestationPolicyHash: device.attestationPolicyHash,
  confirmationKey: device.confirmationKey,
  claims: device.claims,
  firstFailedAt: device.firstFailedAt,
  graces: device.graces,
  generation: device.generation,
  vouched: device.vouched,
  createdAt: device.createdAt,
}

type DeviceRow = typeof device.$inferSelect
export type RecordRow = Pick<DeviceRow, keyof typeof recordColumns>

export function prepareTrustRecordReads(db: Database): TrustRecordReads {
  const columns = { ...recordColumns, ...inForceColumns }
  // One row comes back even where no device does, to carry the hashes.
  const ofOne = eq(device.deviceId, sql.placeholder('deviceId'))
  const nobody = sql`(values (0)) as one`
  const one = db.select(columns).from(nobody).leftJoin(device, ofOne).prepare('trust_record')
  const oneWith = db
    .select({ ...columns, entries: entriesOf() })
    .from(nobody)
    .leftJoin(device, ofOne)
    .prepare('trust_record_with_entities')
  // Straight from the table: a join would have a distributed database look at every device.
  const ofMany = sql`${device.deviceId} = any(${sql.placeholder('deviceIds')}::text[])`
  const many = db.select(columns).from(device).where(ofMany).prepare('trust_records')
  // One row carries the entities for all: else they would come once for each device.
  const carried = sql<string | null>`case when ${device.deviceId} = ${sql.placeholder('carrier')}
    then ${entriesOf()} end`
  const manyWith = db
    .select({ ...columns, entries: carried })
    .from(device)
    .where(ofMany)
    .prepare('trust_records_with_entities')

  const readOne = async (
    deviceId: string,
    entities: readonly EntityName[] | undefined,
  ): Promise<TrustRecordAnswer> => {
    if (entities === undefined || entities.length === 0) {
      const row = onlyRow(await one.execute({ deviceId }))
      return { record: isDevice(row) ? toTrustRecord(row) : null, ...inForceOf(row) }
    }
    const row = onlyRow(await oneWith.execute({ deviceId, names: encodeNames(entities) }))
    const record = isDevice(row) ? toTrustRecord(row) : null
    return { record, ...inForceOf(row), entries: decodeEntries(row.entries) }
  }
  const readMany = async (
    deviceIds: readonly string[],
    entities: readonly EntityName[] | undefined,
  ): Promise<TrustRecordsAnswer> => {
    const asked = { deviceIds: encodeIds(deviceIds) }
    if (entities === undefined || entities.length === 0) {
      const rows = await many.execute(asked)
      const [first = onlyRow(await one.execute({ deviceId: '' }))] = rows
      return { records: recordsOf(rows), ...inForceOf(first) }
    }
    const [carrier = ''] = deviceIds
    const rows = await manyWith.execute({ ...asked, carrier, names: encodeNames(entities) })
    const carrying = rows.find((row) => row.deviceId === carrier)
    if (carrying === undefined) {
      // The device whose row was to carry them is not there: what stands beside is read by itself.
      const { record: _, ...beside } = await readOne('', entities)
      return { records: recordsOf(rows), ...beside }
    }
    const entries = decodeEntries(carrying.entries)
    return { records: recordsOf(rows), ...inForceOf(carrying), entries }
  }

  return {
    async trustRecord(deviceId, entities) {
      const id = storableId(deviceId)
      const answer = await readOne(id, entities)
      const target = answer.record === null ? (await readLinks(db, [id])).get(id) : undefined
      return target === undefined ? answer : readOne(target, entities)
    },
    async trustRecords(deviceIds, entities) {
      const ids = deviceIds.map(storableId)
      const answer = await readMany(ids, entities)
      const missing = ids.filter((id) => !answer.records.has(id))
      const links = await readLinks(db, missing)
      if (links.size === 0) return answer
      const linked = await readMany([...links.values()], entities)
      const records = new Map(answer.records)
      for (const [id, target] of links) {
        const record = linked.records.get(target)
        if (record !== undefined) records.set(id, record)
      }
      return { ...linked, records }
    },
  }
}

function recordsOf(rows: readonly RecordRow[]): ReadonlyMap<string, TrustRecord> {
  return new Map(rows.map((row) => [row.deviceId, toTrustRecord(row)]))
}

export function toTrustRecord(row: RecordRow): TrustRecord {
  return {
    deviceId: row.deviceId,
    keyKind: row.keyKind,
    enrolment: row.enrolment,
    owner: row.owner,
    entraDeviceId: row.entraDeviceId,
    labels: row.labels,
    ring: row.ring,
    quarantine: quarantineOf(row),
    attestation: attestationOf(row),
    firstFailedAt: row.firstFailedAt,
    graces: row.graces,
    generation: row.generation,
    vouched: row.vouched,
    createdAt: row.createdAt,
  }
}

/** Whether the outer join found a device; the columns that are never null then are not. */
function isDevice(row: { deviceId: string | null }): row is RecordRow {
  return row.deviceId !== null
}

/** Shared with the answers of changes, which carry the same three columns. */
export function quarantineOf(
  row: Pick<RecordRow, 'quarantinedAt' | 'quarantinedBy' | 'quarantineReason'>,
): TrustRecord['quarantine'] {
  const { quarantinedAt: at, quarantinedBy: by, quarantineReason: reason } = row
  return at === null || by === null || reason === null ? null : { at, by, reason }
}

function attestationOf(row: RecordRow): RecordedAttestation | null {
  const {
    attestationId,
    attestedAt,
    validUntil,
    issuer,
    attestationPolicyHash,
    confirmationKey,
    claims,
  } = row
  // A constraint of the table makes these null together.
  if (attestationId === null || attestedAt === null || validUntil === null) return null
  if (issuer === null || attestationPolicyHash === null || confirmationKey === null) return null
  if (claims === null) return null
  return {
    attestationId,
    attestedAt,
    validUntil,
    issuer,
    attestationPolicyHash,
    confirmationKey,
    claims,
  }
}

/** What is in force, as subqueries, so that it can be read with anything else in one statement. */
export const inForceColumns = {
  policyHash: activeHash('policy'),
  referenceValuesHash: activeHash('reference-values'),
  controlRevision: sql<number>`(select ${control.revision} from ${control})`,
}

function activeHash(kind: DocumentKind): SQL<DocumentHash | null> {
  return sql<DocumentHash | null>`(select ${activeDocument.hash} from ${activeDocument}
    where ${activeDocument.kind} = ${sql.raw(`'${kind}'`)})`
}

export function inForceOf(row: InForceRevision): InForceRevision {
  const { policyHash, referenceValuesHash, controlRevision } = row
  return { policyHash, referenceValuesHash, controlRevision }
}

/** Ids come from other parties' requests; what cannot be an id must not reach the database. */
export function storableId(text: string): string {
  return STORABLE_ID.test(text) ? text : ''
}

/** As the text of an array: storable ids have no other letters that mean anything in it. */
function encodeIds(ids: readonly string[]): string {
  return `{${ids.map((id) => `"${id.replace(/["\\]/g, '\\$&')}"`).join()}}`
}

const STORABLE_ID = /^[\x21-\x7e]{1,128}$/
