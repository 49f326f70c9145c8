import type { Documents } from '../../access/assess.ts'
import { createBinding } from '../../access/binding.ts'
import { graceOfClause } from '../../access/grace.ts'
import {
  holdOfOrigin,
  type Relief,
  type ReliefSituation,
  type Reliefs,
} from '../../access/relief.ts'
import { type DerivedVerdict, deriveVerdict, reliefOfClause } from '../../access/verdict.ts'
import { appraiseOrigin, type Origin } from '../../appraisal/origin.ts'
import { type ClauseOutcome, isBlocking } from '../../policy/language/evaluate.ts'
import { type Attested, type ComparedDevice, createComparison } from './compare.ts'
import type { Moments } from './moments.ts'

/** What may keep access open for a device, before and after. */
export type BothReliefs = {
  readonly before: Reliefs
  readonly after: Reliefs
  /** Until then a pin lets another version decide for the device: nothing changes for it before. */
  readonly pinnedUntil?: Date | null
}

type Side = 'before' | 'after'

export type Judged = {
  /** As a decision would derive it. */
  readonly verdict: DerivedVerdict
  /** Why it is denied: clauses where any is in the way, else the origin. Empty where it is not. */
  readonly reasons: DerivedVerdict['reasons']
  readonly origin: Origin
  /** When what relieves the device of anything ends, whether it is denied all the same or not. */
  readonly ends: readonly number[]
}

/** What decisions would be about one device at a time. */
export type JudgedBoth = {
  readonly before: Judged
  readonly after: Judged
  readonly outcomes: readonly ClauseOutcome[]
}

export type JudgedDevice = {
  readonly at: (time: number) => JudgedBoth
  /** Of the clauses of the candidate that are in the way, the end of the grace of each that gives one. */
  readonly graces: (time: number) => ReadonlyMap<string, Date>
}

/**
 * The verdicts on attested devices that no standing decides, under two sets of rules and with what
 * relieves each device: those of `deriveVerdict`, from the outcomes of `createComparison`.
 */
export function createJudge(input: {
  readonly inForce: Documents
  readonly candidate: Documents
  readonly moments: Moments
  readonly reliefsOf: (record: Attested) => BothReliefs
}) {
  const { inForce, candidate, moments, reliefsOf } = input
  const [now = 0] = moments.times
  const comparison = createComparison(input)
  const isSameOrigin =
    inForce.referenceValues.hash === candidate.referenceValues.hash &&
    inForce.referenceValues.requiresHardware === candidate.referenceValues.requiresHardware
  const hasDates = [inForce, candidate].some(({ referenceValues: { dates } }) =>
    dates.origin.some((date) => date > now),
  )

  const originsAt = ({ attestation }: Attested, time: number): readonly [Origin, Origin] => {
    const { issuer, attestationPolicyHash, claims } = attestation
    const told = { issuer, attestationPolicyHash, claims, now: new Date(time) }
    const before = appraiseOrigin({ ...told, referenceValues: inForce.referenceValues })
    if (isSameOrigin) return [before, before]
    return [before, appraiseOrigin({ ...told, referenceValues: candidate.referenceValues })]
  }

  const begin = (record: Attested): JudgedDevice => {
    const compare: ComparedDevice = comparison.begin(record)
    const first = originsAt(record, now)
    const situationAt = (side: Side, time: number): ReliefSituation => {
      const documents = side === 'before' ? inForce : candidate
      const reliefs = reliefsOf(record)[side]
      const at = new Date(time)
      const facts = { device: record, attestation: record.attestation, now: at }
      return {
        record,
        reliefs,
        bindingOf: createBinding({ ...documents, ...facts, reliefs }),
        now: at,
      }
    }
    const judge = (
      side: Side,
      time: number,
      found: { outcomes: readonly ClauseOutcome[]; blocks: boolean; origin: Origin },
    ): Judged => {
      const { outcomes: clauseOutcomes, blocks, origin } = found
      if (!blocks && origin === 'accepted') return TRUSTED
      const relief = situationAt(side, time)
      const derive = (of: Origin) =>
        deriveVerdict({
          record: standingOf(record),
          clauseOutcomes,
          origin: of,
          relief,
          now: relief.now,
        })
      const verdict = derive(origin)
      const ends = (verdict.relief ?? reliefsIn(clauseOutcomes, origin, relief)).map(({ until }) =>
        until.getTime(),
      )
      if (origin === 'accepted' || verdict.verdict === 'trusted') {
        return { verdict, reasons: verdict.reasons, origin, ends }
      }
      const ofClauses = blocks ? derive('accepted').reasons : []
      const reasons = ofClauses.length > 0 ? ofClauses : verdict.reasons
      return { verdict, reasons, origin, ends }
    }
    const pinEnd = reliefsOf(record).pinnedUntil?.getTime() ?? -Infinity
    return {
      at(time) {
        const { before, after, blocks } = compare(time)
        const [was, is] = time === now || !hasDates ? first : originsAt(record, time)
        const found = { outcomes: before, blocks: blocks[0], origin: was }
        const judged = judge('before', time, found)
        if (time < pinEnd) {
          const pinned = { ...judged, ends: [...judged.ends, pinEnd] }
          return { before: judged, after: pinned, outcomes: after }
        }
        return {
          before: judged,
          after: judge('after', time, { outcomes: after, blocks: blocks[1], origin: is }),
          outcomes: after,
        }
      },
      graces(time) {
        const { after, blocks } = compare(time)
        if (!blocks[1] || time < pinEnd) return NO_GRACES
        const situation = situationAt('after', time)
        const graces = after.filter(isBlocking).flatMap((outcome) => {
          const grace = graceOfClause(outcome, situation)
          return grace === undefined ? [] : [[outcome.clause, grace.until] as const]
        })
        return new Map(graces)
      },
    }
  }
  return { begin, wasReached: comparison.wasReached }
}

const NO_GRACES: ReadonlyMap<string, Date> = new Map()
const TRUSTED: Judged = {
  verdict: { verdict: 'trusted', reasons: [] },
  reasons: [],
  origin: 'accepted',
  ends: [],
}

/** What would relieve a device that is denied, if nothing else were in its way. */
function reliefsIn(
  outcomes: readonly ClauseOutcome[],
  origin: Origin,
  situation: ReliefSituation,
): readonly Relief[] {
  const ofOrigin = origin === 'accepted' ? undefined : holdOfOrigin(origin, situation)
  const ofClauses = outcomes.filter(isBlocking).map((one) => reliefOfClause(one, situation))
  return [ofOrigin, ...ofClauses].filter((relief) => relief !== undefined)
}

const ALWAYS = { validUntil: new Date(8.64e15) }

/** It goes on attesting, so that its evidence never ends. */
function standingOf({ enrolment }: Attested) {
  return { enrolment, quarantine: null, attestation: ALWAYS }
}
