import type { Documents } from '../../access/assess.ts'
import type { CompiledClause, CompiledPolicy } from '../../policy/document/compile.ts'
import { type ClauseOutcome, outcomeOf, severityAt } from '../../policy/language/evaluate.ts'
import type { Moments } from './moments.ts'
import { dependsOnClaimsAlone } from './read-claims.ts'

/** Clauses to evaluate together, and where each of their outcomes goes. */
export type Group = {
  readonly policy: CompiledPolicy
  readonly slots: readonly number[]
  readonly perClaims: boolean
  /** The clock can change what they say. */
  readonly timed: boolean
}

type Placed = readonly (readonly [CompiledClause, number])[]

export type Side = {
  readonly groups: readonly Group[]
  /** The clauses of the side in the order of its document, and where their outcomes are. */
  readonly clauses: Placed
}

/** Of what is in force only enforced clauses count; of the candidate all are told about. */
export function planChecks({
  inForce,
  candidate,
  moments,
}: {
  readonly inForce: Documents
  readonly candidate: Documents
  readonly moments: Moments
}) {
  const isSameReference = inForce.referenceValues.hash === candidate.referenceValues.hash
  const enforced = inForce.policy.deviceClauses.filter(({ severity }) => severity === 'enforce')
  const before: Placed = enforced.map((clause, slot) => [clause, slot] as const)
  let slots = before.length
  const fresh: [CompiledClause, number][] = []
  const after: Placed = candidate.policy.deviceClauses.map((clause) => {
    const twin = before.find(([one]) => one.logic === clause.logic)
    if (twin !== undefined && (isSameReference || !clause.readsAppraisal)) {
      return [clause, twin[1]] as const
    }
    const placed: [CompiledClause, number] = [clause, slots++]
    fresh.push(placed)
    return placed
  })
  const sides: readonly [Side, Side] = [
    { groups: groupsOf(inForce, before, moments), clauses: before },
    { groups: groupsOf(candidate, fresh, moments), clauses: after },
  ]
  return { sides, isSameReference, reached: new Array<boolean>(slots).fill(false) }
}

function groupsOf(
  { policy, referenceValues }: Documents,
  placed: Placed,
  { times: [now = 0] }: Moments,
): readonly Group[] {
  const hasDates = referenceValues.dates.appraisal.some((date) => date > now)
  const isTimed = (clause: CompiledClause) =>
    clause.clock !== 'none' || (clause.readsAppraisal && hasDates)
  const groups: Group[] = []
  for (const perClaims of [true, false]) {
    for (const timed of [false, true]) {
      const members = placed.filter(([clause]) => {
        return dependsOnClaimsAlone(clause) === perClaims && isTimed(clause) === timed
      })
      if (members.length === 0) continue
      const deviceClauses = members.map(([clause]) => clause)
      const slots = members.map(([, slot]) => slot)
      groups.push({ policy: { ...policy, deviceClauses }, slots, perClaims, timed })
    }
  }
  return groups
}

/** A shared outcome is told as the clause of this document, with what this one makes of it. */
export function arrange(
  { clauses }: Side,
  slots: readonly ClauseOutcome[],
  now: Date,
): readonly ClauseOutcome[] {
  return clauses.map(([clause, slot]) => {
    const outcome = slots[slot]
    if (outcome === undefined) throw new TypeError(`clause ${clause.id} was not evaluated`)
    const isOwn = outcome.clause === clause.id && outcome.graceMs === clause.graceMs
    return isOwn && outcome.severity === severityAt(clause, now)
      ? outcome
      : outcomeOf(clause, outcome, now)
  })
}
