import { assess } from '../../access/assess.ts'
import { unmetClauses } from '../../access/unmet.ts'
import { visitInSlices } from '../../base/slices.ts'
import { listUnreadClaims } from '../../replay/preview/read-claims.ts'
import { versionsInForce } from '../../rollout/in-force.ts'
import type { UnmetChange, VerdictChange } from '../../store/devices/announcements.ts'
import { type FleetRecord, type FleetRow, trustRecordOf } from '../../store/devices/fleet-reads.ts'
import type { Json } from '../../store/json.ts'
import type { FleetCounts } from '../../store/schema/steering-schema.ts'
import type { Store } from '../../store/store.ts'
import type { RulesInForce } from '../release/rules-in-force.ts'
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
