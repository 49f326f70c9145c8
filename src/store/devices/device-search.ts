import { and, eq, gt, gte, lt, lte, type SQL, sql } from 'drizzle-orm'
import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import type { Enrolment, Verdict } from '../../access/trust-record.ts'
import { foldText } from '../../base/fold-text.ts'
import { encodeText } from '../json.ts'
import { device } from '../schema/device-schema.ts'
import { storableId } from './trust-records.ts'

/**
 * Which devices are meant; every member narrows it. They go by what is recorded: verdict and clauses as they were when the device
 * attested or the sweep looked at it last, whichever came later.
 */
export type DeviceFilter = {
  /**
   * Beginning of a device id, an Entra device id, a serial number, an owner or a name, or a whole label;
   * letter case does not count (`foldText`).
   */
  readonly search?: string | undefined
  readonly verdict?: Verdict | undefined
  readonly enrolment?: Enrolment | undefined
  /** Id of a clause that is not met. */
  readonly clause?: string | undefined
  /** At least one of these clauses is not met. */
  readonly anyClause?: readonly string[] | undefined
  /** It has all of them. */
  readonly labels?: readonly string[] | undefined
  readonly owner?: string | undefined
  readonly issuer?: string | undefined
  /** From 0 to 99. */
  readonly ring?: number | undefined
  /** Its last accepted attestation came before this. */
  readonly attestedBefore?: Date | undefined
  /** Its last accepted attestation came then or after. */
  readonly attestedAfter?: Date | undefined
  /** It is one of these devices, or has one of these labels. */
  readonly targets?: DeviceTargets | undefined
}

export type DeviceTargets = {
  readonly deviceIds: readonly string[]
  readonly labels: readonly string[]
}

/**
 * A filter as the database is asked: `driver` is looked up in an index and has what is likely the rarest of
 * it, `rest` is tested on what that finds; without a rest the driver is the whole filter. No combination
 * then makes the database go through everything for the few that meet all of it.
 */
export type SearchPlan = { readonly driver: SQL | undefined; readonly rest: SQL | undefined }

export function planSearch(filter: DeviceFilter): SearchPlan {
  const parts = partsOf(filter).filter((one) => one !== undefined)
  const [driver, ...rest] = parts
  return { driver, rest: and(...rest) }
}

/** What tells devices apart by their first characters: of eight million, 8 letters or digits leave a few. */
const TELLING_CHARACTERS = 8

/**
 * Whether a filter may find so many devices that the database takes long for them. It does not where it names
 * devices, an owner, or enough of the beginning of an id or a name: what is looked up by that is soon found. It
 * goes by what `partsOf` puts first.
 */
export function isBroad({ search = '', owner, targets }: DeviceFilter): boolean {
  if (targets !== undefined) return targets.labels.length > 0
  if (search !== '') return search.replace(/^dev_/i, '').length < TELLING_CHARACTERS
  return owner === undefined
}

/** The parts of a filter, those first that are likely to find the fewest devices. */
function partsOf(filter: DeviceFilter): (SQL | undefined)[] {
  const { search, verdict, enrolment, owner, issuer, ring, targets } = filter
  const byVerdict = verdict && eq(device.announcedVerdict, verdict)
  const byEnrolment = enrolment && eq(device.enrolment, enrolment)
  const isFew = verdict === 'quarantined'
  return [
    targets && isTarget(targets),
    search === undefined || search === '' ? undefined : matches(foldText(encodeText(search))),
    owner === undefined ? undefined : eq(device.ownerFolded, foldText(encodeText(owner))),
    isFew ? byVerdict : undefined,
    enrolment === 'pending' ? byEnrolment : undefined,
    hasMarks(filter),
    isFew || verdict === 'trusted' ? undefined : byVerdict,
    attestedWithin(filter),
    ring === undefined ? undefined : eq(device.ring, ring),
    issuer === undefined ? undefined : eq(device.issuer, encodeText(issuer)),
    verdict === 'trusted' ? byVerdict : undefined,
    enrolment === 'pending' ? undefined : byEnrolment,
  ]
}

/** Labels and clauses lie in one index, which finds those that have several at once. */
function hasMarks({ clause, anyClause, labels }: DeviceFilter): SQL | undefined {
  return and(
    clause === undefined ? undefined : sql`${device.unmet} @> ${textArray([clause])}`,
    anyClause && sql`${device.unmet} && ${textArray(anyClause)}`,
    labels && labels.length > 0
      ? sql`${device.labelsFolded} @> ${textArray(labels.map(foldText))}`
      : undefined,
  )
}

/** Devices behind `after` in the order of ids; all of them without it. */
export function isBehind(after: string | undefined): SQL | undefined {
  return after === undefined ? undefined : gt(device.deviceId, storableId(after))
}

/** The day is what the index has; what of it is outside is left out after that. */
function attestedWithin({ attestedBefore, attestedAfter }: DeviceFilter): SQL | undefined {
  return and(
    attestedBefore && lte(device.seenOn, dayOf(attestedBefore)),
    attestedBefore && lt(device.attestedAt, attestedBefore),
    attestedAfter && gte(device.seenOn, dayOf(attestedAfter)),
    attestedAfter && gte(device.attestedAt, attestedAfter),
  )
}

function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10)
}

function isTarget({ deviceIds, labels }: DeviceTargets): SQL {
  const ids = textArray(deviceIds.map(storableId))
  return sql`(${device.deviceId} = any(${ids})
    or ${device.labelsFolded} && ${textArray(labels.map(foldText))})`
}

/** Both sides are folded by the service, so that every database finds the same. */
function matches(text: string): SQL {
  const end = text + LAST_CHARACTER
  const begins = (column: AnyPgColumn) => sql`(${column} ~>=~ ${text} and ${column} ~<~ ${end})`
  return sql`((${device.deviceId} >= ${text} and ${device.deviceId} < ${end})
    or ${begins(device.entraDeviceIdFolded)} or ${begins(device.serialFolded)}
    or ${begins(device.ownerFolded)} or ${begins(device.nameFolded)}
    or ${device.labelsFolded} @> ${textArray([text])})`
}

/** Behind every text that begins with what stands before it, byte by byte. */
const LAST_CHARACTER = '\u{10FFFF}'

/** As the literal of an array (PostgreSQL §8.15.2), which every driver sends alike. */
function textArray(texts: readonly string[]): SQL {
  const items = texts.map((text) => `"${encodeText(text).replace(/["\\]/g, '\\$&')}"`)
  return sql`${`{${items.join()}}`}::text[]`
}
