import type { Documents } from '../../access/assess.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import type { VerdictRecord } from '../../access/verdict.ts'
import { type AttestationResult, appraise } from '../../appraisal/appraise.ts'
import type { AttestationClaims } from '../../appraisal/claims.ts'
import { type ClauseOutcome, evaluatePolicy, isBlocking } from '../../policy/language/evaluate.ts'
import type { AttestationFacts, DeviceFacts } from '../../policy/language/input.ts'
import { REMEMBERED_CLAIMS } from './limits.ts'
import type { Moments } from './moments.ts'
import { arrange, type Group, planChecks, type Side } from './plan-checks.ts'

/** What of a trust record a preview looks at; every `TrustRecord` is one. */
export type PreviewRecord = DeviceFacts &
  Pick<VerdictRecord, 'enrolment'> &
  Pick<TrustRecord, 'firstFailedAt' | 'graces'> & {
    /** Whether there is one is all that counts. */
    readonly quarantine: object | null
    readonly attestation: PreviewAttestation | null
  }

export type PreviewAttestation = Omit<AttestationFacts, 'result'>

export type Attested = PreviewRecord & { readonly attestation: PreviewAttestation }

/** Whether a device has attested; what it claimed then is as it was recorded. */
export function isAttested<T extends { readonly attestation: object | null }>(
  record: T,
): record is T & { readonly attestation: NonNullable<T['attestation']> } {
  return record.attestation !== null
}

/** What the clauses of both sides say of a device at a time. */
export type Comparison = {
  /** Of what is in force: its enforced clauses. */
  readonly before: readonly ClauseOutcome[]
  /** Of every device clause of the candidate, in the order of its document. */
  readonly after: readonly ClauseOutcome[]
  /** Whether any of them is in the way, before and after. */
  readonly blocks: readonly [boolean, boolean]
}

/** Gives the comparison of one device at any time from the first moment on. */
export type ComparedDevice = (time: number) => Comparison

/**
 * Evaluates the clauses of two sets of rules for attested devices, as if each went on attesting the
 * same: its evidence is never older than it is at the first moment. A clause that stands in both is
 * evaluated once; one that reads claims alone once for each claims object, which records may share; one
 * that the clock cannot change once, and the others at each moment that is asked for.
 */
export function createComparison(input: {
  readonly inForce: Documents
  readonly candidate: Documents
  readonly moments: Moments
}): {
  readonly begin: (record: Attested) => ComparedDevice
  /** Whether a clause of the candidate, by its index, has applied to any device so far. */
  readonly wasReached: (index: number) => boolean
} {
  const { moments } = input
  const [now = 0] = moments.times
  const planned = new Set(moments.times)
  const plan = planChecks(input)
  const isFixed = plan.sides.every(({ groups }) => groups.every(({ perClaims }) => perClaims))
  /** What a device says for itself, no clock changes. */
  const isShared = plan.sides.every(({ groups }) =>
    groups.every(({ perClaims, timed }) => perClaims || !timed),
  )
  const epochOf = createEpochs(plan.sides)
  const isTimed = plan.sides.some(({ groups }) => groups.some(({ timed }) => timed))
  const known = new Map<AttestationClaims, Map<number, Remembered>>()
  const most = Math.ceil(REMEMBERED_CLAIMS / Math.sqrt(moments.times.length))

  const rememberedOf = (claims: AttestationClaims) => {
    let times = known.get(claims)
    if (times === undefined) {
      if (known.size >= most) known.clear()
      times = new Map()
      known.set(claims, times)
    }
    return times
  }
  /** Writes what the wanted groups say of a device into `slots`. */
  const evaluate = (slots: ClauseOutcome[], record: Attested, work: Work) => {
    const { time, results, isWanted } = work
    const aged = time === now ? record.attestation : shifted(record.attestation, time - now)
    for (const [index, { groups }] of plan.sides.entries()) {
      for (const group of groups) {
        if (!isWanted(group)) continue
        const attestation = { ...aged, result: results(index) }
        const facts = { device: record, attestation, now: new Date(time) }
        const outcomes = evaluatePolicy(group.policy, facts, { scope: 'device' })
        for (const [at, outcome] of outcomes.entries()) {
          const slot = group.slots[at] ?? 0
          slots[slot] = outcome
          if (outcome.status !== 'not_applicable') plan.reached[slot] = true
        }
      }
    }
  }
  const appraiser = (claims: AttestationClaims, time: number): Work['results'] => {
    const made: (AttestationResult | undefined)[] = []
    return (index) => {
      const at = plan.isSameReference ? 0 : index
      const { referenceValues } = index === 0 ? input.inForce : input.candidate
      const result = made[at] ?? appraise({ claims, referenceValues, now: new Date(time) })
      made[at] = result
      return result
    }
  }
  /** What claims alone say at a time, without the clauses that only the clock changes not. */
  const perClaims = (record: Attested, time: number): Remembered => {
    const results = appraiser(record.attestation.claims, time)
    const slots: ClauseOutcome[] = []
    const isWanted = (group: Group) => group.perClaims && (time === now || group.timed)
    evaluate(slots, record, { time, results, isWanted })
    return { slots, results, says: `${epochOf(time)} ${describeSlots(slots)}`, whole: undefined }
  }
  const conclude = (slots: readonly ClauseOutcome[], time: number): Comparison => {
    const at = new Date(time)
    const before = arrange(plan.sides[0], slots, at)
    const after = arrange(plan.sides[1], slots, at)
    return { before, after, blocks: [before.some(isBlocking), after.some(isBlocking)] }
  }

  const begin = (record: Attested): ComparedDevice => {
    const times = rememberedOf(record.attestation.claims)
    const remember = (time: number): Remembered => {
      let found = times.get(time)
      if (found === undefined) {
        found = perClaims(record, time)
        times.set(time, found)
      }
      return found
    }
    let first: readonly ClauseOutcome[] | undefined
    const concluded = new Map<string, Comparison>()
    const slotsAt = (time: number, shared: Remembered): readonly ClauseOutcome[] => {
      const isFirst = time === now
      const slots = isFirst ? [...shared.slots] : [...firstSlots()]
      if (!isFirst) {
        shared.slots.forEach((outcome, slot) => {
          slots[slot] = outcome
        })
      }
      const isWanted = (group: Group) => !group.perClaims && (isFirst || group.timed)
      evaluate(slots, record, { time, results: shared.results, isWanted })
      return slots
    }
    const firstSlots = () => {
      first ??= slotsAt(now, remember(now))
      return first
    }
    return (asked) => {
      const time = timeToEvaluate(moments, asked)
      const isMoment = time !== asked || !moments.readsHours || planned.has(time)
      const shared = isMoment ? remember(time) : perClaims(record, time)
      if (isFixed && shared.whole !== undefined) return shared.whole
      // Most moments change nothing for a device: what was concluded from the same is there already.
      const before = time === now || !isShared ? undefined : concluded.get(shared.says)
      if (before !== undefined) return before
      const slots = time === now || !isTimed ? firstSlots() : slotsAt(time, shared)
      const whole = conclude(slots, time)
      if (isFixed) shared.whole = whole
      else if (time !== now) concluded.set(shared.says, whole)
      return whole
    }
  }
  return {
    begin,
    wasReached: (index) => plan.reached[plan.sides[1].clauses[index]?.[1] ?? -1] === true,
  }
}

/** A number for each time between two at which a clause begins to deny. */
function createEpochs(sides: readonly Side[]): (time: number) => number {
  const begins = sides.flatMap(({ clauses }) => {
    return clauses.flatMap(([{ enforceFrom }]) => enforceFrom?.getTime() ?? [])
  })
  return (time) => begins.filter((begin) => begin <= time).length
}

function describeSlots(slots: readonly ClauseOutcome[]): string {
  return slots.map(({ status, cause = '' }) => `${status} ${cause}`).join()
}

/** Between two moments nothing changes, unless a clause goes by the hour. */
function timeToEvaluate({ times, readsHours }: Moments, asked: number): number {
  if (readsHours) return asked
  return times.findLast((time) => time <= asked) ?? asked
}

type Work = {
  readonly time: number
  /** The appraisal of what is in force, and of the candidate: made when it is asked for. */
  readonly results: (side: number) => AttestationResult
  readonly isWanted: (group: Group) => boolean
}

type Remembered = {
  readonly slots: readonly ClauseOutcome[]
  readonly results: Work['results']
  /** The same where the same is said, under the same severities. */
  readonly says: string
  /** Where nothing depends on more than the claims. */
  whole: Comparison | undefined
}

/** Evidence that is not older at a later time than it is now, as the device goes on attesting. */
function shifted(attestation: PreviewAttestation, byMs: number): PreviewAttestation {
  const { attestedAt, validUntil } = attestation
  return {
    ...attestation,
    attestedAt: new Date(attestedAt.getTime() + byMs),
    validUntil: new Date(validUntil.getTime() + byMs),
  }
}
