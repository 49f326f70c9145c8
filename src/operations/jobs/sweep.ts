import { type Assessment, assess } from '../../access/assess.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import type { Metrics } from '../../base/metrics.ts'
import { visitInSlices } from '../../base/slices.ts'
import { listUnreadClaims } from '../../replay/preview/read-claims.ts'
import { versionsInForce } from '../../rollout/in-force.ts'
import type { VerdictChange } from '../../store/devices/announcements.ts'
import {
  createRecordReader,
  FLEET_PAGE_ROWS,
  type FleetRecord,
  type FleetRow,
} from '../../store/devices/fleet-reads.ts'
import type { Json } from '../../store/json.ts'
import type { FleetCounts } from '../../store/schema/steering-schema.ts'
import type { Store } from '../../store/store.ts'
import type { RulesInForce, RulesReader } from '../release/rules-in-force.ts'
import {
  countDevice,
  type MutableCounts,
  readPosition,
  sumOfCounts,
  writePosition,
} from './fleet-tally.ts'

/** Devices that one round looks at. What is left waits for the next round. */
export const SWEEP_DEVICES_A_ROUND = 20_000

export type SweepDependencies = {
  readonly store: Pick<Store, 'inForce' | 'fleetPage' | 'announceVerdicts' | 'keepFleetSummary'>
  readonly rules: Pick<RulesReader, 'at'>
  readonly clock: () => Date
  readonly metrics: Pick<Metrics, 'announced' | 'sweepCycle'>
}

/**
 * One round of the sweep: tells others whose verdict is not what they were told last, because
 * evidence or grace ended, a hold began, or other documents came into force; and counts devices by
 * verdict and failing clause on the way. It goes on at `position`, which holds what was counted, and
 * answers where the next round does; the whole fleet is one cycle, at whose end the counts are kept and
 * after which the next one begins.
 *
 * Any number of these may run at once and die anywhere: what is told is told by a compare-and-set in
 * the same statement, so that each change is told once, and what is not told the next cycle finds.
 */
export async function sweepFleet(
  dependencies: SweepDependencies,
  position: string,
): Promise<string> {
  const { store, rules, clock, metrics } = dependencies
  let { since, after, counts } = readPosition(position, clock())
  const toRecord = createRecordReader()
  for (let looked = 0; looked < SWEEP_DEVICES_A_ROUND; looked += FLEET_PAGE_ROWS) {
    const rulesInForce = await rules.at(await store.inForce())
    const leaveOut = listUnreadClaims(documentsOf(rulesInForce))
    const rows = await store.fleetPage({ after, limit: FLEET_PAGE_ROWS, leaveOut })
    const now = clock()
    const { changes, counted } = await lookAt(rows, { toRecord, rulesInForce, now })
    if (changes.length > 0) {
      const { revision } = rulesInForce.control
      const told = await store.announceVerdicts({ changes, revision, now })
      // Other rules are in force by now: the same page again, under these.
      if (told === 'superseded') continue
      metrics.announced.inc(told)
    }
    counts = sumOfCounts(counts, counted)
    const last = rows.at(-1)
    if (last === undefined || rows.length < FLEET_PAGE_ROWS) {
      await store.keepFleetSummary({ counts, at: now })
      metrics.sweepCycle.set((now.getTime() - since) / 1000)
      return ''
    }
    after = last.deviceId
  }
  return writePosition({ since, after, counts })
}

function documentsOf({ control, rulesOf }: RulesInForce) {
  const values = versionsInForce(control, 'reference-values')
  return versionsInForce(control, 'policy').flatMap((policy) =>
    values.map((referenceValues) => rulesOf(policy, referenceValues)),
  )
}

/**
 * Those of whom others were told something else, and all of them counted. A process that serves answers
 * others meanwhile.
 */
async function lookAt(
  rows: readonly FleetRow[],
  input: {
    readonly toRecord: (row: FleetRow) => FleetRecord
    readonly rulesInForce: RulesInForce
    readonly now: Date
  },
): Promise<{ readonly changes: readonly VerdictChange[]; readonly counted: FleetCounts }> {
  const { toRecord, rulesInForce, now } = input
  const changes: VerdictChange[] = []
  const counted: MutableCounts = { verdicts: {}, failing: {} }
  await visitInSlices(rows, (row) => {
    const found = toRecord(row)
    const record = toTrustRecord(found)
    const { rules, reliefs } = rulesInForce.rulesFor(record, now)
    const assessment = assess({ ...rules, record, reliefs, now })
    countDevice(counted, assessment)
    const change = changeOf(found, assessment)
    if (change !== undefined) changes.push(change)
  })
  return { changes, counted }
}

function changeOf(
  { deviceId, announcedVerdict: previous, attestation }: FleetRecord,
  { verdict, reasons }: Assessment,
): VerdictChange | undefined {
  if (verdict === previous) return undefined
  const attestationId = attestation?.attestationId ?? null
  return { deviceId, previous, verdict, reasons: reasons as readonly Json[], attestationId }
}

/** By whom and why it was quarantined, the key it proved and its generation decide nothing here. */
function toTrustRecord({ announcedVerdict: _, ...record }: FleetRecord): TrustRecord {
  const { quarantine, attestation } = record
  return {
    ...record,
    generation: 0,
    quarantine: quarantine && QUARANTINED,
    attestation: attestation && { ...attestation, confirmationKey: '' },
  }
}

const QUARANTINED = { at: new Date(0), by: '', reason: '' }
