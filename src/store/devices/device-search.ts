import { and, eq, gt, gte, lt, lte, type SQL, sql } from 'drizzle-orm'
import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import type { Enrolment, Verdict } from '../../access/trust-record.ts'
import { foldText } from '../../base/fold-text.ts'
import { encodeText } from '../json.ts'
import { device } from '../schema/schema.ts'
import { storableId } from './trust-records.ts'

/**
 * Which devices are meant; every member narrows it. Each is looked up in an index, so that what is asked
 * for costs what is found. They go by what is recorded: verdict and clauses as they were when the device
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

/** The condition of a filter, for devices behind `after` in the order of ids. */
export function conditionOf(filter: DeviceFilter, after: string | undefined): SQL | undefined {
  const { search, verdict, enrolment, clause, anyClause, labels, owner, issuer, targets } = filter
  return and(
    after === undefined ? undefined : gt(device.deviceId, storableId(after)),
    verdict && eq(device.announcedVerdict, verdict),
    enrolment && eq(device.enrolment, enrolment),
    clause === undefined ? undefined : sql`${device.unmet} @> ${textArray([clause])}`,
    anyClause && sql`${device.unmet} && ${textArray(anyClause)}`,
    labels && labels.length > 0
      ? sql`${device.labelsFolded} @> ${textArray(labels.map(foldText))}`
      : undefined,
    owner === undefined ? undefined : eq(device.ownerFolded, foldText(encodeText(owner))),
    issuer === undefined ? undefined : eq(device.issuer, encodeText(issuer)),
    ...attestedWithin(filter),
    targets && isTarget(targets),
    search === undefined || search === '' ? undefined : matches(foldText(encodeText(search))),
  )
}

/** The day is what the index has; what of it is outside is left out after that. */
function attestedWithin({ attestedBefore, attestedAfter }: DeviceFilter): (SQL | undefined)[] {
  return [
    attestedBefore && lte(device.seenOn, dayOf(attestedBefore)),
    attestedBefore && lt(device.attestedAt, attestedBefore),
    attestedAfter && gte(device.seenOn, dayOf(attestedAfter)),
    attestedAfter && gte(device.attestedAt, attestedAfter),
  ]
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
