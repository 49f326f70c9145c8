import { assess } from '../../access/assess.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import { unmetClauses } from '../../access/unmet.ts'
import type { Metrics } from '../../base/metrics.ts'
import { visitInSlices } from '../../base/slices.ts'
import { listUnreadClaims } from '../../replay/preview/read-claims.ts'
import { versionsInForce } from '../../rollout/in-force.ts'
import type { UnmetChange, VerdictChange } from '../../store/devices/announcements.ts'
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
  readonly store: Pick<
    Store,
    'inForce' | 'fleetPage' | 'announceVerdicts' | 'noteUnmet' | 'keepFleetSummary'
  >
  readonly rules: Pick<RulesReader, 'at'>
  readonly clock: () => Date
  readonly metrics: Pick<Metrics, 'announced' | 'sweepCycle'>
}

/**
 * One round of the sweep: tells others whose verdict is not what they were told last, because
 * evidence or grace ended, a hold began, or other documents came into force; notes which clauses devices
 * do not meet, by which they are found; and counts devices by verdict and failing clause on the way. It
 * goes on at `position`, which holds what was counted, and answers where the next round does; the whole
 * fleet is one cycle, at whose end the counts are kept and after which the next one begins.
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
    const found = await lookAt(rows, { toRecord, rulesInForce, now })
    const told = await record(dependencies, { ...found, rulesInForce, now })
    // Other rules are in force by now: the same page again, under these.
    if (told === 'superseded') continue
    metrics.announced.inc(told)
    counts = sumOfCounts(counts, found.counted)
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

type Found = {
  readonly changes: readonly VerdictChange[]
  readonly unmet: readonly UnmetChange[]
  readonly counted: FleetCounts
}

/** How many changes of a verdict were told. What is not recorded the next cycle finds again. */
async function record(
  { store }: Pick<SweepDependencies, 'store'>,
  found: Pick<Found, 'changes' | 'unmet'> & {
    readonly rulesInForce: RulesInForce
    readonly now: Date
  },
): Promise<number | 'superseded'> {
  const { changes, unmet, now } = found
  const { revision } = found.rulesInForce.control
  const told = changes.length > 0 ? await store.announceVerdicts({ changes, revision, now }) : 0
  if (told === 'superseded' || unmet.length === 0) return told
  await store.noteUnmet({ changes: unmet, revision })
  return told
}

/**
 * Devices that are otherwise than was recorded, and all of them counted. A process that serves answers
 * others meanwhile.
 */
async function lookAt(
  rows: readonly FleetRow[],
  input: {
    readonly toRecord: (row: FleetRow) => FleetRecord
    readonly rulesInForce: RulesInForce
    readonly now: Date
  },
): Promise<Found> {
  const { toRecord, rulesInForce, now } = input
  const changes: VerdictChange[] = []
  const unmet: UnmetChange[] = []
  const counted: MutableCounts = { verdicts: {}, failing: {} }
  await visitInSlices(rows, (row) => {
    const found = toRecord(row)
    const record = toTrustRecord(found)
    const { rules, reliefs } = rulesInForce.rulesFor(record, now)
    const assessment = assess({ ...rules, record, reliefs, now })
    countDevice(counted, assessment)
    const { deviceId, announcedVerdict: previous } = found
    const attestationId = found.attestation?.attestationId ?? null
    const { verdict } = assessment
    const clauses = unmetClauses(assessment.clauseOutcomes)
    const seen = { deviceId, attestationId, unmet: clauses }
    if (verdict !== previous) {
      changes.push({ ...seen, previous, verdict, reasons: assessment.reasons as readonly Json[] })
    } else if (clauses.join() !== found.unmet.join()) unmet.push(seen)
  })
  return { changes, unmet, counted }
}

/** By whom and why it was quarantined, the key it proved and its generation decide nothing here. */
function toTrustRecord({ announcedVerdict: _, unmet: __, ...record }: FleetRecord): TrustRecord {
  const { quarantine, attestation } = record
  return {
    ...record,
    generation: 0,
    quarantine: quarantine && QUARANTINED,
    attestation: attestation && { ...attestation, confirmationKey: '' },
  }
}

const QUARANTINED = { at: new Date(0), by: '', reason: '' }
