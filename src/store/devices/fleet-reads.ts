import { type SQL, sql } from 'drizzle-orm'
import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import type { RecordedAttestation, TrustRecord, Verdict } from '../../access/trust-record.ts'
import type { AttestationClaims, ClaimName } from '../../appraisal/claims.ts'
import type { RolloutStage } from '../../rollout/rollout.ts'
import { type Database, rowsOf } from '../drivers/database.ts'
import { encodeJson } from '../json.ts'
import { device } from '../schema/device-schema.ts'
import { storableId } from './trust-records.ts'

/** The whole fleet, a page at a time, for whoever has to look at every device. */
export type FleetReads = {
  /** One page in the order of device ids; `readFleet` puts them together. */
  readonly fleetPage: (query: FleetPageQuery) => Promise<FleetRow[]>
  /** Those of these devices that there are. */
  readonly fleetRows: (query: {
    readonly deviceIds: readonly string[]
    readonly leaveOut: readonly ClaimName[]
  }) => Promise<FleetRow[]>
}

export type FleetPageQuery = {
  /** The last device id of the page before; the empty text for the first page. */
  readonly after: string
  readonly limit: number
  /** Claims that nobody looks at. What is left out is neither sent nor parsed. */
  readonly leaveOut: readonly ClaimName[]
  /** Only devices of these rings, or with any of these labels. */
  readonly stage?: RolloutStage | undefined
}

/**
 * A device as it is sent, for little work on either side: times in milliseconds of the epoch,
 * labels and claims as the JSON text that many devices share.
 */
export type FleetRow = Pick<
  TrustRecord,
  'deviceId' | 'keyKind' | 'enrolment' | 'owner' | 'entraDeviceId' | 'ring' | 'vouched'
> & {
  readonly labels: string
  readonly firstFailedAt: string
  readonly graces: string
  readonly unmet: string
  readonly announcedVerdict: Verdict
  /** With which verdict it is in the list of statuses; null where it is not yet. */
  readonly listedVerdict: Verdict | null
  readonly isQuarantined: boolean
  readonly createdAt: number
  readonly attestationId: string | null
  readonly attestedAt: number | null
  readonly validUntil: number | null
  readonly issuer: string | null
  readonly attestationPolicyHash: RecordedAttestation['attestationPolicyHash'] | null
  readonly claims: string | null
}

/** What of a trust record a verdict depends on. Claims that were left out are absent. */
export type FleetRecord = Omit<TrustRecord, 'attestation' | 'quarantine' | 'generation'> & {
  /** Not by whom and why. */
  readonly quarantine: object | null
  readonly attestation: FleetAttestation | null
  /** What others were told last. */
  readonly announcedVerdict: Verdict
  /** The clauses that it did not meet when it was looked at last. */
  readonly unmet: readonly string[]
}

export type FleetAttestation = Pick<
  RecordedAttestation,
  'attestationId' | 'attestedAt' | 'validUntil' | 'issuer' | 'attestationPolicyHash' | 'claims'
>

export function prepareFleetReads(db: Database): FleetReads {
  const select = async (leaveOut: readonly ClaimName[], which: SQL) => {
    const leftOut = sql`array(select jsonb_array_elements_text(${JSON.stringify(leaveOut)}::jsonb))`
    const answer: unknown = await db.execute(sql`
      select ${device.deviceId} as "deviceId", ${device.keyKind} as "keyKind", ${device.enrolment},
        ${device.owner}, ${device.entraDeviceId} as "entraDeviceId",
        array_to_json(${device.labels})::text as labels, ${device.ring},
        ${device.quarantinedAt} is not null as "isQuarantined",
        ${millisecondsOf(device.createdAt)} as "createdAt",
        ${device.attestationId} as "attestationId",
        ${millisecondsOf(device.attestedAt)} as "attestedAt",
        ${millisecondsOf(device.validUntil)} as "validUntil",
        ${device.issuer}, ${device.attestationPolicyHash} as "attestationPolicyHash",
        ${device.firstFailedAt}::text as "firstFailedAt", ${device.graces}::text as graces,
        array_to_json(${device.unmet})::text as unmet,
        ${device.announcedVerdict} as "announcedVerdict",
        ${device.listedVerdict} as "listedVerdict", ${device.vouched},
        -- Looked at once: each look would fetch it anew from where large values are kept.
        (${device.claims} - ${leftOut})::text as claims
      from ${device}
      where ${which}`)
    return rowsOf<FleetRow>(answer)
  }
  return {
    fleetPage({ after, limit, leaveOut, stage }) {
      // Not prepared: a plan for any limit would be one for a tenth of the table.
      return select(
        leaveOut,
        sql`${device.deviceId} > ${storableId(after)} and ${stageCondition(stage)}
          order by ${device.deviceId} limit ${limit}`,
      )
    },
    async fleetRows({ deviceIds, leaveOut }) {
      if (deviceIds.length === 0) return []
      const ids = sql`array(select jsonb_array_elements_text(${JSON.stringify(deviceIds)}::jsonb))`
      return select(leaveOut, sql`${device.deviceId} = any(${ids})`)
    },
  }
}

function stageCondition(stage: RolloutStage | undefined): SQL {
  if (stage === undefined || stage.percent >= 100) return sql`true`
  const labels = sql`array(select jsonb_array_elements_text(${encodeJson(stage.labels)}::jsonb))`
  return sql`(${device.ring} < ${stage.percent} or ${device.labels} && ${labels})`
}

/** Enough that a statement costs little, and little enough to handle between two requests. */
export const FLEET_PAGE_ROWS = 500

/**
 * Every recorded device once, or every one of a stage, in the order of device ids, in batches, with the memory of two of
 * them: the next is read while one is handled, and a batch is emptied when the next is asked for.
 * No transaction is held open, so each device is as it was when its page was read; one that is
 * recorded meanwhile is among them if its id is still to come. Equal claims are the same object, as
 * long as there are not too many different ones.
 *
 * Ends with the reason of `signal` between two batches, and leaves no statement under way.
 */
export async function* readFleet(
  reads: Pick<FleetReads, 'fleetPage'>,
  options: {
    readonly leaveOut?: readonly ClaimName[]
    /** Only its devices. */
    readonly stage?: RolloutStage | undefined
    readonly pageRows?: number
    readonly signal?: AbortSignal | undefined
  } = {},
): AsyncGenerator<readonly FleetRecord[], void, void> {
  const { leaveOut = [], stage, pageRows = FLEET_PAGE_ROWS, signal } = options
  const toRecord = createRecordReader()
  const read = (after: string) => {
    const rows = reads.fleetPage({ after, limit: pageRows, leaveOut, stage })
    // Told to whoever takes the page, which may be never.
    rows.catch(() => {})
    return rows
  }
  signal?.throwIfAborted()
  let next: Promise<FleetRow[]> | undefined = read('')
  try {
    while (next !== undefined) {
      const rows: FleetRow[] = await next
      signal?.throwIfAborted()
      const last = rows.at(-1)
      next = last === undefined || rows.length < pageRows ? undefined : read(last.deviceId)
      const batch = rows.map(toRecord)
      // What the driver keeps of its last answers would else be most of the memory.
      rows.length = 0
      if (batch.length > 0) yield batch
      batch.length = 0
      signal?.throwIfAborted()
    }
  } finally {
    await next?.catch(() => {})
  }
}

/**
 * Some devices of the fleet, or all of those that there are if these are fewer: from `after` on in
 * the order of ids, and then from the beginning. Ids are hashes, so wherever it begins, it is a
 * sample by chance; one that goes on where the last one ended comes to every device in time.
 */
export async function readSample(
  reads: Pick<FleetReads, 'fleetPage'>,
  options: {
    readonly after: string
    readonly most: number
    readonly stage?: RolloutStage | undefined
    readonly leaveOut?: readonly ClaimName[]
  },
): Promise<{ readonly records: readonly FleetRecord[]; readonly last: string }> {
  const { after, most, stage, leaveOut = [] } = options
  const toRecord = createRecordReader()
  const records: FleetRecord[] = []
  let last = after
  let isWrapped = after === ''
  while (records.length < most) {
    const limit = Math.min(FLEET_PAGE_ROWS, most - records.length)
    const rows = await reads.fleetPage({ after: last, limit, leaveOut, stage })
    const fresh = isWrapped && after !== '' ? rows.filter((row) => row.deviceId <= after) : rows
    records.push(...fresh.map(toRecord))
    last = fresh.at(-1)?.deviceId ?? last
    if (fresh.length === limit) continue
    if (isWrapped) break
    isWrapped = true
    last = ''
  }
  return { records, last }
}

function millisecondsOf(column: AnyPgColumn): SQL {
  return sql`date_part('epoch', ${column}) * 1000`
}

/** Equal claims of what one of these has read are the same object. */
export function createRecordReader(): (row: FleetRow) => FleetRecord {
  const parseClaims = createJsonReader<AttestationClaims>()
  const parseTexts = createJsonReader<readonly string[]>()
  const parseTimes = createJsonReader<TrustRecord['firstFailedAt']>()
  const parseGraces = createJsonReader<TrustRecord['graces']>()
  return (row) => ({
    deviceId: row.deviceId,
    keyKind: row.keyKind,
    enrolment: row.enrolment,
    owner: row.owner,
    entraDeviceId: row.entraDeviceId,
    labels: parseTexts(row.labels),
    ring: row.ring,
    quarantine: row.isQuarantined ? QUARANTINED : null,
    attestation: attestationOf(row, parseClaims),
    firstFailedAt: parseTimes(row.firstFailedAt),
    graces: parseGraces(row.graces),
    announcedVerdict: row.announcedVerdict,
    unmet: parseTexts(row.unmet),
    vouched: row.vouched,
    createdAt: toDate(row.createdAt),
  })
}

const QUARANTINED = {}
const BY_SOMEBODY = { at: new Date(0), by: '', reason: '' }

/**
 * The record that a verdict is derived from. By whom and why it was quarantined, the key it proved and its generation
 * are not read, as they decide nothing.
 */
export function trustRecordOf({
  announcedVerdict: _,
  unmet: __,
  ...record
}: FleetRecord): TrustRecord {
  const { quarantine, attestation } = record
  return {
    ...record,
    generation: 0,
    quarantine: quarantine && BY_SOMEBODY,
    attestation: attestation && { ...attestation, confirmationKey: '' },
  }
}

function attestationOf(
  { attestationId, attestedAt, validUntil, issuer, attestationPolicyHash, claims }: FleetRow,
  parseClaims: (text: string) => AttestationClaims,
): FleetAttestation | null {
  // A constraint of the table makes these null together.
  if (attestationId === null || attestedAt === null || validUntil === null) return null
  if (issuer === null || attestationPolicyHash === null || claims === null) return null
  return {
    attestationId,
    attestedAt: toDate(attestedAt),
    validUntil: toDate(validUntil),
    issuer,
    attestationPolicyHash,
    claims: parseClaims(claims),
  }
}

/** Columns have whole milliseconds, which a fraction of seconds may miss by a little. */
function toDate(milliseconds: number): Date {
  return new Date(Math.round(milliseconds))
}

/** Different texts that are remembered, of a kilobyte or two each. */
const KEPT_TEXTS = 4096

/** Parses each text once: most of a fleet shares few sets of claims once the keys are left out. */
function createJsonReader<T>(): (text: string) => T {
  const known = new Map<string, T>()
  return (text) => {
    const before = known.get(text)
    if (before !== undefined) return before
    const value: T = JSON.parse(text)
    if (known.size >= KEPT_TEXTS) known.clear()
    known.set(text, value)
    return value
  }
}
