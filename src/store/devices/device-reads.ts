import { asc, eq, type SQL, sql } from 'drizzle-orm'
import type { TrustRecord, Verdict } from '../../access/trust-record.ts'
import { type Database, rowsOf } from '../drivers/database.ts'
import type { Json } from '../json.ts'
import { device, type RecordedVerdict } from '../schema/schema.ts'
import { conditionOf, type DeviceFilter } from './device-search.ts'
import { readLinks } from './read-links.ts'
import { recordColumns, storableId, toTrustRecord } from './trust-records.ts'

/** The most rows of one page, whatever is asked for. */
export const PAGE_ROWS_MOST = 200

/** What administrators look at. Not for decisions: those read `trustRecord`. */
export type DeviceReads = {
  /** Devices by id, a page at a time; a device that arrives meanwhile disturbs no page. */
  readonly listDevices: (query: DeviceQuery) => Promise<DevicePage>
  /** How many of the devices behind `after`, up to `most` of them, are in each group. */
  readonly groupDevices: (query: GroupQuery) => Promise<GroupedDevices>
  /** By its id or any further name of it. */
  readonly deviceDetail: (deviceId: string, now: Date) => Promise<DeviceDetail | null>
}

export type DeviceQuery = DeviceFilter & {
  readonly limit: number
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined
}

export type DevicePage = {
  readonly devices: readonly ListedDevice[]
  readonly nextCursor: string | null
}

/** A device as it is recorded. */
export type ListedDevice = {
  readonly record: TrustRecord
  readonly about: DeviceNames
}

/** What administrators call a device, and nothing decides by. */
export type DeviceNames = { readonly name: string | null; readonly serial: string | null }

/** What devices are counted by: clauses that they do not meet, labels, or the verifier that spoke last. */
export const DEVICE_GROUPS = ['clause', 'label', 'issuer'] as const

export type DeviceGroup = (typeof DEVICE_GROUPS)[number]

export type GroupQuery = DeviceFilter & {
  readonly by: DeviceGroup
  /** Id of a device; the empty text begins. */
  readonly after: string
  readonly most: number
}

export type GroupedDevices = {
  /** A device counts once in each group that it is in; one that is in none counts in none. */
  readonly groups: readonly { readonly group: string; readonly devices: number }[]
  /** How many were looked at: as many as were asked for, where there may be more. */
  readonly devices: number
  /** The last of them; `null` where there was none. */
  readonly last: string | null
}

export type DeviceDetail = {
  readonly record: TrustRecord
  readonly about: DeviceNames
  /** What the record alone says as of the `now` that was asked for, before any policy is asked. */
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
    async listDevices({ limit: asked, cursor, ...filter }) {
      const limit = pageRows(asked)
      const rows = await db
        .select({ ...recordColumns, ...nameColumns })
        .from(device)
        .where(conditionOf(filter, cursor))
        .orderBy(asc(device.deviceId))
        .limit(limit + 1)
      const devices = rows.slice(0, limit).map((row) => {
        return { record: toTrustRecord(row), about: namesOf(row) }
      })
      const nextCursor = rows.length > limit ? (devices.at(-1)?.record.deviceId ?? null) : null
      return { devices, nextCursor }
    },
    groupDevices: (query) => groupDevices(db, query),
    async deviceDetail(deviceId, now) {
      const id = storableId(deviceId)
      const detail = await readDetail(db, id, now)
      const target = detail === null ? (await readLinks(db, [id])).get(id) : undefined
      return target === undefined ? detail : readDetail(db, target, now)
    },
  }
}

const nameColumns = { name: device.name, serial: device.serial }

function namesOf({ name, serial }: DeviceNames): DeviceNames {
  return { name, serial }
}

const GROUPED: Readonly<Record<DeviceGroup, SQL>> = {
  clause: sql`unnest(page.unmet)`,
  label: sql`unnest(page.labels)`,
  issuer: sql`page.issuer`,
}

async function groupDevices(
  db: Database,
  { by, after, most, ...filter }: GroupQuery,
): Promise<GroupedDevices> {
  const answer: unknown = await db.execute(sql`
    with page as (
      select ${device.deviceId}, ${device.unmet}, ${device.labels}, ${device.issuer} from ${device}
      where ${conditionOf(filter, after)} order by ${device.deviceId} limit ${most}
    )
    select grouped.name, count(*)::integer as devices, null::text as last
    from (select ${GROUPED[by]} as name from page) as grouped
    where grouped.name is not null group by grouped.name
    union all
    select null::text, count(*)::integer, max(page.device_id) from page`)
  const rows = rowsOf<{ name: string | null; devices: number; last: string | null }>(answer)
  const whole = rows.find(({ name }) => name === null)
  return {
    groups: rows.flatMap(({ name, devices }) => (name === null ? [] : [{ group: name, devices }])),
    devices: whole?.devices ?? 0,
    last: whole?.last ?? null,
  }
}

async function readDetail(db: Database, deviceId: string, now: Date): Promise<DeviceDetail | null> {
  const [row] = await db
    .select({
      ...recordColumns,
      ...nameColumns,
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
  return { record: toTrustRecord(row), about: namesOf(row), reasons: row.reasons ?? [], ...kept }
}

/** The database's own function, so that lists, events and counts cannot disagree. */
export function verdictAt(now: Date): SQL<Verdict> {
  return sql<Verdict>`effective_verdict(${device.verdict}, ${device.validUntil},
    ${device.quarantinedAt}, ${now.toISOString()}::timestamptz)`
}

/** How many rows a page has of which `limit` are asked for. */
export function pageRows(limit: number): number {
  return Math.min(Math.max(Math.trunc(limit), 1), PAGE_ROWS_MOST)
}
