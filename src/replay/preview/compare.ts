import type { Documents } from '../../access/assess.ts'
import { type DerivedVerdict, deriveVerdict, type VerdictRecord } from '../../access/verdict.ts'
import { type AttestationResult, appraise } from '../../appraisal/appraise.ts'
import type { AttestationClaims } from '../../appraisal/claims.ts'
import type { CompiledClause, CompiledPolicy } from '../../policy/document/compile.ts'
import { type ClauseOutcome, evaluatePolicy } from '../../policy/language/evaluate.ts'
import type { AttestationFacts, DeviceFacts, PolicyInput } from '../../policy/language/input.ts'
import { REMEMBERED_CLAIMS } from './limits.ts'
import { dependsOnClaimsAlone } from './read-claims.ts'

/** What of a trust record a preview looks at; every `TrustRecord` is one. */
export type PreviewRecord = DeviceFacts &
  Pick<VerdictRecord, 'enrolment'> & {
    /** Whether there is one is all that counts. */
    readonly quarantine: object | null
    readonly attestation: PreviewAttestation | null
  }

export type PreviewAttestation = Omit<AttestationFacts, 'result'>

export type Comparison = {
  readonly before: DerivedVerdict
  readonly after: DerivedVerdict
  /** Of every device clause of the candidate, in the order of its document. */
  readonly outcomes: readonly ClauseOutcome[]
}

export type Attested = PreviewRecord & { readonly attestation: PreviewAttestation }

/** Whether a device has attested; what it claimed then is as it was recorded. */
export function isAttested<T extends { readonly attestation: object | null }>(
  record: T,
): record is T & { readonly attestation: NonNullable<T['attestation']> } {
  return record.attestation !== null
}

/**
 * Gives the verdict on an attested device that no standing decides, under two sets of rules: the
 * same two verdicts as `assess`. A clause that stands in both is evaluated once, and one that reads
 * claims alone once for each claims object: records may share them.
 */
export function createComparison(input: {
  readonly inForce: Documents
  readonly candidate: Documents
  readonly now: Date
}): (record: Attested) => Comparison {
  const { now } = input
  const plan = planChecks(input)
  const [before, after] = plan.sides
  const isFixed = plan.sides.every(({ perDevice }) => perDevice === undefined)
  const remembered = new Map<AttestationClaims, Remembered>()

  const evaluate = (
    record: Attested,
    results: Results,
    pick: (side: Side) => Group | undefined,
    slots: ClauseOutcome[],
  ) => {
    for (const [index, side] of plan.sides.entries()) {
      const group = pick(side)
      const result = results[index]
      if (group === undefined || result === undefined) continue
      const attestation = { ...record.attestation, result }
      evaluateInto(slots, group, { device: record, attestation, now })
    }
    return slots
  }
  const compareFixed = (record: Attested): Remembered => {
    const results = plan.appraiseTwice(record.attestation.claims, now)
    const slots = evaluate(record, results, ({ perClaims }) => perClaims, [])
    return { slots, results, comparison: isFixed ? concludeBoth(slots, record) : undefined }
  }
  const concludeBoth = (slots: readonly ClauseOutcome[], record: Attested): Comparison => {
    const outcomes = arrange(after, slots)
    return {
      before: conclude(arrange(before, slots), record, now),
      after: conclude(outcomes, record, now),
      outcomes,
    }
  }

  return (record) => {
    const { claims } = record.attestation
    let known = remembered.get(claims)
    if (known === undefined) {
      known = compareFixed(record)
      if (remembered.size >= REMEMBERED_CLAIMS) remembered.clear()
      remembered.set(claims, known)
    }
    if (known.comparison !== undefined) return known.comparison
    const { results, slots } = known
    return concludeBoth(
      evaluate(record, results, ({ perDevice }) => perDevice, [...slots]),
      record,
    )
  }
}

/** Under what is in force and under the candidate. */
type Results = readonly [AttestationResult, AttestationResult]

type Remembered = {
  readonly results: Results
  readonly slots: readonly ClauseOutcome[]
  readonly comparison: Comparison | undefined
}

/** Clauses to evaluate together, and where each of their outcomes goes. */
type Group = { readonly policy: CompiledPolicy; readonly slots: readonly number[] }

type Side = {
  /** Undefined where there is nothing to evaluate. */
  readonly perClaims: Group | undefined
  readonly perDevice: Group | undefined
  /** The clauses of the side in the order of its document, and where their outcomes are. */
  readonly clauses: readonly (readonly [CompiledClause, number])[]
}

/** Of what is in force only enforced clauses count; of the candidate all are told about. */
function planChecks({ inForce, candidate }: { inForce: Documents; candidate: Documents }) {
  const isSameReference = inForce.referenceValues.hash === candidate.referenceValues.hash
  const enforced = inForce.policy.deviceClauses.filter(({ severity }) => severity === 'enforce')
  const before = enforced.map((clause, slot) => [clause, slot] as const)
  let slots = before.length
  const fresh: [CompiledClause, number][] = []
  const after = candidate.policy.deviceClauses.map((clause) => {
    const twin = before.find(([one]) => isSameTest(one, clause))
    if (twin !== undefined && (isSameReference || !clause.readsAppraisal)) {
      return [clause, twin[1]] as const
    }
    const placed: [CompiledClause, number] = [clause, slots++]
    fresh.push(placed)
    return placed
  })
  const sides: readonly [Side, Side] = [
    sideOf(inForce, before, before),
    sideOf(candidate, fresh, after),
  ]
  const appraiseTwice = (claims: AttestationClaims, now: Date): Results => {
    const result = appraise({ claims, referenceValues: inForce.referenceValues, now })
    if (isSameReference) return [result, result]
    return [result, appraise({ claims, referenceValues: candidate.referenceValues, now })]
  }
  return { sides, appraiseTwice }
}

function isSameTest(one: CompiledClause, other: CompiledClause): boolean {
  return one.when?.source === other.when?.source && one.require.source === other.require.source
}

function sideOf(
  { policy }: Documents,
  evaluated: readonly (readonly [CompiledClause, number])[],
  clauses: Side['clauses'],
): Side {
  const group = (perClaims: boolean): Group | undefined => {
    const members = evaluated.filter(([clause]) => dependsOnClaimsAlone(clause) === perClaims)
    if (members.length === 0) return undefined
    const deviceClauses = members.map(([clause]) => clause)
    return { policy: { ...policy, deviceClauses }, slots: members.map(([, slot]) => slot) }
  }
  return { perClaims: group(true), perDevice: group(false), clauses }
}

function evaluateInto(slots: ClauseOutcome[], group: Group, input: PolicyInput): void {
  const outcomes = evaluatePolicy(group.policy, input, { scope: 'device' })
  for (const [index, outcome] of outcomes.entries()) slots[group.slots[index] ?? 0] = outcome
}

/** A shared outcome carries the name and severity of the clause in the other document. */
function arrange({ clauses }: Side, slots: readonly ClauseOutcome[]): readonly ClauseOutcome[] {
  return clauses.map(([clause, slot]) => {
    const outcome = slots[slot]
    if (outcome === undefined) throw new TypeError(`clause ${clause.id} was not evaluated`)
    const { id, severity } = clause
    if (outcome.clause === id && outcome.severity === severity) return outcome
    return { ...outcome, clause: id, severity }
  })
}

function conclude(
  clauseOutcomes: readonly ClauseOutcome[],
  { enrolment, attestation }: Attested,
  now: Date,
): DerivedVerdict {
  const record = { enrolment, attestation, quarantine: null }
  return deriveVerdict({ record, clauseOutcomes, now })
}
