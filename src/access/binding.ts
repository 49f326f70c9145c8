import { appraise } from '../appraisal/appraise.ts'
import type { ReferenceValues } from '../appraisal/reference-values.ts'
import type { CompiledClause, CompiledPolicy } from '../policy/document/compile.ts'
import { evaluateClause, isBlocking } from '../policy/language/evaluate.ts'
import type { AttestationFacts, DeviceFacts } from '../policy/language/input.ts'
import type { BoundSince, Reliefs } from './relief.ts'

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
 * of reference values) before which the clause would not have denied with the same evidence.
 */
export function createBinding(input: BindingInput): BoundSince {
  const { policySince, referenceValuesSince } = input.reliefs
  return (id) => {
    const clause = input.policy.clauseById.get(id)
    const since = policySince.getTime()
    if (clause === undefined) return since
    const values = clause.readsAppraisal ? (referenceValuesSince?.getTime() ?? since) : since
    const inForce = Math.max(since, values)
    return Math.max(inForce, blockedSince(clause, input, inForce))
  }
}

/** `after`: in milliseconds of the epoch. No earlier moment matters. */
function blockedSince(clause: CompiledClause, input: BindingInput, after: number): number {
  const { referenceValues, now } = input
  const dates = clause.readsAppraisal ? referenceValues.dates.appraisal : []
  const passed = [...clause.instants, ...dates].filter((at) => at > after && at <= now.getTime())
  const last = passed.sort((a, b) => b - a).find((at) => !blocksAt(clause, input, at - 1))
  return last ?? after
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
