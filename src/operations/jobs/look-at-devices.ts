import { assess } from '../../access/assess.ts'
import { unmetClauses } from '../../access/unmet.ts'
import type { Metrics } from '../../base/metrics.ts'
import { visitInSlices } from '../../base/slices.ts'
import { listUnreadClaims } from '../../replay/preview/read-claims.ts'
import { versionsInForce } from '../../rollout/in-force.ts'
import type { UnmetChange, VerdictChange } from '../../store/devices/announcements.ts'
import {
  createRecordReader,
  type FleetRecord,
  type FleetRow,
  trustRecordOf,
} from '../../store/devices/fleet-reads.ts'
import type { Json } from '../../store/json.ts'
import type { FleetCounts } from '../../store/schema/steering-schema.ts'
import type { Store } from '../../store/store.ts'
import type { RulesInForce, RulesReader } from '../release/rules-in-force.ts'
import type { Expiries } from './expiries.ts'
import { countDevice, type MutableCounts } from './fleet-tally.ts'

/** The claims that no document in force reads, so that they need not be sent. */
export function unreadClaims({ control, rulesOf }: RulesInForce) {
  const values = versionsInForce(control, 'reference-values')
  const documents = versionsInForce(control, 'policy').flatMap((policy) =>
    values.map((referenceValues) => rulesOf(policy, referenceValues)),
  )
  return listUnreadClaims(documents)
}

/** Devices that are otherwise than was recorded, and all of them counted. */
export type Found = {
  readonly changes: readonly VerdictChange[]
  readonly unmet: readonly UnmetChange[]
  readonly counted: FleetCounts
}

export type LookAtIdsDependencies = {
  readonly store: Pick<Store, 'inForce' | 'fleetRows' | 'announceVerdicts' | 'noteUnmet'>
  readonly rules: Pick<RulesReader, 'at'>
  readonly clock: () => Date
  readonly metrics: Pick<Metrics, 'announced'>
  /** Is told of evidence that ends soon. */
  readonly expiries: Expiries
}

/**
 * Looks at the devices of these ids, tells what has changed of them, and answers them as they were read. Nothing is
 * told where other rules have come into force meanwhile: a sweep is under way then because of them.
 */
export async function lookAtIds(
  { store, rules, clock, metrics, expiries }: LookAtIdsDependencies,
  deviceIds: readonly string[],
): Promise<readonly FleetRow[]> {
  const rulesInForce = await rules.at(await store.inForce())
  const rows = await store.fleetRows({ deviceIds, leaveOut: unreadClaims(rulesInForce) })
  const now = clock()
  const toRecord = createRecordReader()
  const found = await lookAt(rows, { toRecord, rulesInForce, now, expiries })
  const told = await recordFound({ store }, { ...found, rulesInForce, now })
  if (told !== 'superseded') metrics.announced.inc(told)
  return rows
}

/** How many changes of a verdict were told. What is not recorded the next cycle finds again. */
export async function recordFound(
  { store }: { readonly store: Pick<Store, 'announceVerdicts' | 'noteUnmet'> },
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

/** Holds devices against the rules in force. A process that serves answers others meanwhile. */
export async function lookAt(
  rows: readonly FleetRow[],
  input: {
    readonly toRecord: (row: FleetRow) => FleetRecord
    readonly rulesInForce: RulesInForce
    readonly now: Date
    /** Is told when evidence of a trusted device ends. */
    readonly expiries: Expiries
  },
): Promise<Found> {
  const { toRecord, rulesInForce, now, expiries } = input
  const changes: VerdictChange[] = []
  const unmet: UnmetChange[] = []
  const counted: MutableCounts = { verdicts: {}, failing: {} }
  await visitInSlices(rows, (row) => {
    const found = toRecord(row)
    const record = trustRecordOf(found)
    const { rules, reliefs } = rulesInForce.rulesFor(record, now)
    const assessment = assess({ ...rules, record, reliefs, now })
    countDevice(counted, assessment)
    if (assessment.verdict === 'trusted' && record.attestation !== null) {
      expiries.note(record.deviceId, { until: record.attestation.validUntil, now })
    }
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
