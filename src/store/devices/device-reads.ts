import { and, asc, eq, gt, isNotNull, isNull, type SQL, sql } from 'drizzle-orm'
import type { Enrolment, TrustRecord, Verdict } from '../../access/trust-record.ts'
import { foldText } from '../../base/fold-text.ts'
import type { Database } from '../drivers/database.ts'
import { encodeText, type Json } from '../json.ts'
import { device, type RecordedVerdict } from '../schema/schema.ts'
import { readLinks } from './read-links.ts'
import { recordColumns, storableId, toTrustRecord } from './trust-records.ts'

/** The most rows of one page, whatever is asked for. */
export const PAGE_ROWS_MOST = 200

/** What administrators look at. Not for decisions: those read `trustRecord`. */
export type DeviceReads = {
  /** Devices by id, a page at a time; a device that arrives meanwhile disturbs no page. */
  readonly listDevices: (query: DeviceQuery) => Promise<DevicePage>
  /** By its id or any further name of it. */
  readonly deviceDetail: (deviceId: string, now: Date) => Promise<DeviceDetail | null>
}

export type DeviceQuery = {
  /**
   * Beginning of a device id or an Entra device id, part of an owner's name, or a whole label;
   * letter case does not count (`foldText`).
   */
  readonly search?: string
  /** As of `now`: with expiry and quarantine. */
  readonly verdict?: Verdict
  readonly enrolment?: Enrolment
  readonly quarantined?: boolean
  readonly limit: number
  /** `nextCursor` of the page before. */
  readonly cursor?: string
  readonly now: Date
}

export type DevicePage = {
  readonly devices: readonly DeviceSummary[]
  readonly nextCursor: string | null
}

export type DeviceSummary = {
  readonly deviceId: string
  readonly verdict: Verdict
  readonly enrolment: Enrolment
  readonly owner: string | null
  readonly entraDeviceId: string | null
  readonly labels: readonly string[]
  readonly ring: number
  readonly quarantinedAt: Date | null
  readonly attestedAt: Date | null
  readonly validUntil: Date | null
  readonly createdAt: Date
}

export type DeviceDetail = {
  readonly record: TrustRecord
  /** As of the `now` that was asked for. */
  readonly verdict: Verdict
  /** What the last accepted attestation was recorded as, and why. */
  readonly recordedVerdict: RecordedVerdict | null
  readonly reasons: readonly Json[]
  readonly deviceKeyHash: string
  /** base64url SHA-256 of the keys that evidence linked to the device by its TPM. */
  readonly linkedKeys: readonly string[]
  /** Clause id to the ISO 8601 time since which it fails without a break. */
  readonly firstFailedAt: Readonly<Record<string, string>>
  readonly updatedAt: Date
}

export function prepareDeviceReads(db: Database): DeviceReads {
  return {
    async listDevices(query) {
      const limit = pageRows(query.limit)
      const rows = await db
        .select({
          deviceId: device.deviceId,
          verdict: verdictAt(query.now),
          enrolment: device.enrolment,
          owner: device.owner,
          entraDeviceId: device.entraDeviceId,
          labels: device.labels,
          ring: device.ring,
          quarantinedAt: device.quarantinedAt,
          attestedAt: device.attestedAt,
          validUntil: device.validUntil,
          createdAt: device.createdAt,
        })
        .from(device)
        .where(and(...conditionsOf(query)))
        .orderBy(asc(device.deviceId))
        .limit(limit + 1)
      const devices = rows.slice(0, limit)
      const nextCursor = rows.length > limit ? (devices.at(-1)?.deviceId ?? null) : null
      return { devices, nextCursor }
    },
    async deviceDetail(deviceId, now) {
      const id = storableId(deviceId)
      const detail = await readDetail(db, id, now)
      const target = detail === null ? (await readLinks(db, [id])).get(id) : undefined
      return target === undefined ? detail : readDetail(db, target, now)
    },
  }
}

async function readDetail(db: Database, deviceId: string, now: Date): Promise<DeviceDetail | null> {
  const [row] = await db
    .select({
      ...recordColumns,
      verdict: verdictAt(now),
      recordedVerdict: device.verdict,
      reasons: device.reasons,
      deviceKeyHash: device.deviceKeyHash,
      linkedKeys: device.linkedKeys,
      firstFailedAt: device.firstFailedAt,
      updatedAt: device.updatedAt,
    })
    .from(device)
    .where(eq(device.deviceId, deviceId))
  if (row === undefined) return null
  const { verdict, recordedVerdict, deviceKeyHash, linkedKeys, firstFailedAt, updatedAt } = row
  const kept = { verdict, recordedVerdict, deviceKeyHash, linkedKeys, firstFailedAt, updatedAt }
  return { record: toTrustRecord(row), reasons: row.reasons ?? [], ...kept }
}

/** The database's own function, so that lists, events and counts cannot disagree. */
export function verdictAt(now: Date): SQL<Verdict> {
  return sql<Verdict>`effective_verdict(${device.verdict}, ${device.validUntil},
    ${device.quarantinedAt}, ${now.toISOString()}::timestamptz)`
}

function conditionsOf(query: DeviceQuery): (SQL | undefined)[] {
  const { search, verdict, enrolment, quarantined, cursor } = query
  return [
    cursor === undefined ? undefined : gt(device.deviceId, storableId(cursor)),
    enrolment === undefined ? undefined : eq(device.enrolment, enrolment),
    quarantined === undefined
      ? undefined
      : quarantined
        ? isNotNull(device.quarantinedAt)
        : isNull(device.quarantinedAt),
    verdict === undefined ? undefined : sql`${verdictAt(query.now)} = ${verdict}`,
    search === undefined || search === '' ? undefined : matches(encodeText(search)),
  ]
}

/** Both sides are folded by the service, so that every database finds the same. */
function matches(search: string): SQL {
  const text = foldText(search)
  return sql`(starts_with(${device.deviceId}, ${text})
    or starts_with(${device.entraDeviceIdFolded}, ${text})
    or strpos(${device.ownerFolded}, ${text}) > 0
    or ${text} = any(${device.labelsFolded}))`
}

/** How many rows a page has of which `limit` are asked for. */
export function pageRows(limit: number): number {
  return Math.min(Math.max(Math.trunc(limit), 1), PAGE_ROWS_MOST)
}
