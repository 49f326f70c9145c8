import { and, asc, eq, type SQL, sql } from 'drizzle-orm'
import type { TrustRecord, Verdict } from '../../access/trust-record.ts'
import { type Database, rowsOf } from '../drivers/database.ts'
import type { Json } from '../json.ts'
import { device, type RecordedVerdict } from '../schema/device-schema.ts'
import { type DeviceFilter, isBehind, planSearch } from './device-search.ts'
import { readLinks } from './read-links.ts'
import { recordColumns, storableId, toTrustRecord } from './trust-records.ts'

/** The most rows of one page, whatever is asked for. */
export const PAGE_ROWS_MOST = 200

/** What administrators look at. Not for decisions: those read `trustRecord`. */
export type DeviceReads = {
  /**
   * Devices by id, a page at a time; a device that arrives meanwhile disturbs no page. One may have fewer
   * than were asked for, or none, and others behind it.
   */
  readonly listDevices: (query: DeviceQuery) => Promise<DevicePage>
  /** How many devices behind `after` are in each group, of the first `most` that are looked at. */
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
  /** How many were found. */
  readonly devices: number
  /** How many were looked at: as many as were asked for, where there may be more. */
  readonly looked: number
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
    listDevices: (query) => listDevices(db, query),
    groupDevices: (query) => groupDevices(db, query),
    async deviceDetail(deviceId, now) {
      const id = storableId(deviceId)
      const detail = await readDetail(db, id, now)
      const target = detail === null ? (await readLinks(db, [id])).get(id) : undefined
      return target === undefined ? detail : readDetail(db, target, now)
    },
  }
}

/** Devices that one page looks at, where it has to test what an index found. */
export const CANDIDATES_MOST = 1000

async function listDevices(
  db: Database,
  { limit: asked, cursor, ...filter }: DeviceQuery,
): Promise<DevicePage> {
  const limit = pageRows(asked)
  const { driver, rest } = planSearch(filter)
  const candidate = db
    .select({
      ...recordColumns,
      ...nameColumns,
      isFound: sql<boolean>`coalesce(${rest ?? sql`true`}, false)`.as('is_found'),
      rank: sql<number>`(row_number() over (order by ${device.deviceId}))::integer`.as('rank'),
    })
    .from(device)
    .where(and(driver, isBehind(cursor)))
    .orderBy(asc(device.deviceId))
    .limit(rest === undefined ? limit + 1 : CANDIDATES_MOST)
    .as('candidate')
  const rows = await db
    .select()
    .from(candidate)
    // The last one tells where the next page goes on, whatever it is.
    .where(sql`${candidate.isFound} or ${candidate.rank} = ${CANDIDATES_MOST}`)
    .orderBy(asc(candidate.deviceId))
    .limit(limit + 1)
  const found = rows.filter(({ isFound }) => isFound)
  const shown = found.slice(0, limit)
  const devices = shown.map((row) => ({ record: toTrustRecord(row), about: namesOf(row) }))
  const last = rows.find(({ rank }) => rank === CANDIDATES_MOST)
  const end = found.length > limit ? shown.at(-1) : last
  return { devices, nextCursor: end?.deviceId ?? null }
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

type GroupRow = {
  readonly name: string | null
  readonly devices: number
  readonly looked: number | null
  readonly last: string | null
}

async function groupDevices(
  db: Database,
  { by, after, most, ...filter }: GroupQuery,
): Promise<GroupedDevices> {
  const { driver, rest } = planSearch(filter)
  const answer: unknown = await db.execute(sql`
    with candidate as (
      select ${device.deviceId}, ${device.unmet}, ${device.labels}, ${device.issuer},
        coalesce(${rest ?? sql`true`}, false) as is_found
      from ${device} where ${and(driver, isBehind(after))} order by ${device.deviceId} limit ${most}
    ), page as (select * from candidate where is_found)
    select grouped.name, count(*)::integer as devices, null::integer as looked, null::text as last
    from (select ${GROUPED[by]} as name from page) as grouped
    where grouped.name is not null group by grouped.name
    union all
    select null::text, count(*) filter (where is_found)::integer, count(*)::integer, max(device_id)
    from candidate`)
  const rows = rowsOf<GroupRow>(answer)
  const whole = rows.find(({ name }) => name === null)
  return {
    groups: rows.flatMap(({ name, devices }) => (name === null ? [] : [{ group: name, devices }])),
    devices: whole?.devices ?? 0,
    looked: whole?.looked ?? 0,
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
