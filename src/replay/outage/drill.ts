import type { Documents } from '../../access/assess.ts'
import { isStanding } from '../../access/verdict.ts'
import type { AttestedRecord } from '../causes.ts'
import { isAttested } from '../preview/compare.ts'
import { createBlockers } from './blockers.ts'
import { createCounts } from './counts.ts'
import {
  createOutageProbe,
  type OutageProbe,
  type RulesFor,
  withGrace,
  withoutGrace,
} from './find-loss.ts'
import type { Outage } from './outage.ts'
import type { DrillSummary, NotCounted } from './summary.ts'
import { createTimeline } from './timeline.ts'

/** Rehearses an outage on devices, one after the other, in bounded memory. */
export type Drill = {
  readonly add: (record: DrillRecord) => void
  /** Of what was added so far; the order does not matter. */
  readonly summary: () => DrillSummary
}

/** What of a trust record a drill looks at; every `TrustRecord` is one. */
export type DrillRecord = Omit<AttestedRecord, 'attestation'> & {
  readonly attestation: AttestedRecord['attestation'] | null
}

/**
 * Asks of each device that is trusted when the outage begins when it is not any more, without the
 * grace and with it. Nobody attests in the meantime, and with the grace the outage is known from its
 * beginning on.
 */
export function createDrill(input: {
  readonly outage: Outage
  readonly now: Date
  readonly rulesFor: RulesFor
  /** All that `rulesFor` may answer with. */
  readonly rules: readonly Documents[]
  /** When it may begin to answer with others of them. */
  readonly changes: readonly Date[]
}): Drill {
  const { outage, now, rulesFor, rules, changes } = input
  checkOutage(outage, now)
  const from = outage.from.getTime()
  const probe = createOutageProbe({
    rulesFor,
    findBlockers: createBlockers(),
    timeline: createTimeline({ ...outage, now, rules, changes }),
    until: outage.until.getTime(),
  })
  const whyLeftOut = createSelection(probe, outage, now)
  const counts = createCounts(outage)
  return {
    add(record) {
      const why = whyLeftOut(record)
      if (why !== undefined || !isAttested(record)) {
        counts.leaveOut(why ?? 'never_attested', record.attestation?.issuer)
        return
      }
      const { issuer } = record.attestation
      const lost = probe.findLoss(record, from, withoutGrace)
      // What is trusted without the grace is so with it.
      const lostWith = lost && probe.findLoss(record, lost.at, withGrace(issuer, outage.graceMs))
      counts.add(record, lost, lostWith)
    },
    summary: () => counts.summary(now),
  }
}

/** Says why a device is not counted; nothing if it has access that the outage can end. */
function createSelection(probe: OutageProbe, { verifier, from }: Outage, now: Date) {
  return (record: DrillRecord): NotCounted | undefined => {
    if (record.quarantine !== null) return 'quarantined'
    if (record.enrolment !== 'admitted') return 'enrolment_pending'
    if (!isAttested(record)) return 'never_attested'
    const { verdict, reasons } = probe.verdictAt(record, now.getTime())
    const [reason] = reasons
    if (verdict !== 'trusted') {
      return reason !== undefined && isStanding(reason.code) ? reason.code : 'denied'
    }
    if (verifier !== undefined && record.attestation.issuer !== verifier) return 'other_verifier'
    const begun = probe.verdictAt(record, from.getTime())
    return begun.verdict === 'trusted' ? undefined : 'before_outage'
  }
}

function checkOutage({ from, until, stepMs, graceMs }: Outage, now: Date): void {
  if (!(from >= now && until > from)) throw new TypeError('an outage is to come and takes time')
  if (!(stepMs > 0 && graceMs >= 0)) throw new TypeError('a step takes time, and a grace may')
}
