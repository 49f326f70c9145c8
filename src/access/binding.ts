import { appraise } from '../appraisal/appraise.ts'
import type { ReferenceValues } from '../appraisal/reference-values.ts'
import type { CompiledClause, CompiledPolicy } from '../policy/document/compile.ts'
import { evaluateClause, isBlocking } from '../policy/language/evaluate.ts'
import type { AttestationFacts, DeviceFacts } from '../policy/language/input.ts'
import type { BindingOf, Reliefs } from './relief.ts'

/** Whose evidence is held against which documents, when. */
export type BindingInput = {
  readonly policy: CompiledPolicy
  readonly referenceValues: ReferenceValues
  readonly device: DeviceFacts | undefined
  readonly attestation: Omit<AttestationFacts, 'result'>
  readonly reliefs: Pick<Reliefs, 'policySince' | 'referenceValuesSince'>
  readonly now: Date
}

/**
 * Since when a clause that fails now binds the device: since its documents are in force for it, or
 * since the last of the moments that they name (`enforce_from`, timestamps in the clause, validities
 * of reference values) before which the clause would not have denied with the same evidence. One that
 * goes by the hour binds from the first hour on in which it denies.
 */
export function createBinding(input: BindingInput): BindingOf {
  return (id) => {
    const clause = input.policy.clauseById.get(id)
    if (clause === undefined) {
      return { since: input.reliefs.policySince.getTime(), anew: -Infinity }
    }
    const inForce = inForceSince(clause, input)
    if (clause.clock === 'hours') {
      const from = clause.enforceFrom?.getTime() ?? -Infinity
      const hasBegun = from > inForce && from <= input.now.getTime()
      const anew = hasBegun ? from : -Infinity
      return { since: firstHour(clause, input, inForce) ?? inForce, anew }
    }
    const anew = lastBegin(clause, input, inForce) ?? -Infinity
    return { since: Math.max(inForce, anew), anew }
  }
}

/** Whether a clause that goes by the hour has denied the same evidence in any hour so far. */
export function hasDeniedBefore(clause: CompiledClause, input: BindingInput): boolean {
  return firstHour(clause, input, inForceSince(clause, input)) !== undefined
}

function inForceSince({ readsAppraisal }: CompiledClause, { reliefs }: BindingInput): number {
  const since = reliefs.policySince.getTime()
  const values = reliefs.referenceValuesSince?.getTime() ?? since
  return readsAppraisal ? Math.max(since, values) : since
}

/** `after`: in milliseconds of the epoch. No earlier moment matters. */
function lastBegin(clause: CompiledClause, input: BindingInput, after: number): number | undefined {
  const passed = momentsPassed(clause, input, after)
  return passed.sort((a, b) => b - a).find((at) => !blocksAt(clause, input, at - 1))
}

function momentsPassed(clause: CompiledClause, input: BindingInput, after: number): number[] {
  const { referenceValues, now } = input
  const dates = clause.readsAppraisal ? referenceValues.dates.appraisal : []
  return [...clause.instants, ...dates].filter((at) => at > after && at <= now.getTime())
}

/** Offsets of time zones are multiples of it. */
const QUARTER_MS = 900_000
/** A week and a day, in quarters of an hour: hours and days come back within it. */
const MOST_QUARTERS = 8 * 96

function firstHour(clause: CompiledClause, input: BindingInput, after: number): number | undefined {
  const start = Math.max(after, ...momentsPassed(clause, input, after))
  const now = input.now.getTime()
  const aligned = Math.ceil(start / QUARTER_MS) * QUARTER_MS
  for (let quarters = -1; quarters < MOST_QUARTERS; quarters += 1) {
    const at = quarters < 0 ? start : aligned + quarters * QUARTER_MS
    if (at > now) return undefined
    if (blocksAt(clause, input, at)) return at
  }
  return undefined
}

/** Whether a clause would be in the way of the same evidence at a time, in milliseconds. */
export function blocksAt(
  clause: CompiledClause,
  input: Omit<BindingInput, 'reliefs' | 'now'>,
  at: number,
): boolean {
  const { referenceValues, device, attestation } = input
  const now = new Date(at)
  const { claims } = attestation
  const result = appraise({ claims, referenceValues, now })
  const facts = { attestation: { ...attestation, result }, now }
  return isBlocking(evaluateClause(clause, device === undefined ? facts : { ...facts, device }))
}
