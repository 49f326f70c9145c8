import { isBlocking } from '../policy/language/evaluate.ts'
import type { Assessment, Documents } from './assess.ts'
import { type BindingInput, blocksAt, createBinding } from './binding.ts'
import { graceOfClause } from './grace.ts'
import type { ReliefRecord, Reliefs } from './relief.ts'
import type { RecordedAttestation, TrustRecord } from './trust-record.ts'

/** A clause that will deny a device that it does not deny now, unless something is repaired. */
export type ComingDenial = {
  readonly clause: string
  /** The end of its grace, if it gives one: until then nobody is denied for it. */
  readonly from: Date
}

/**
 * What will deny a device whose evidence stays as it is: clauses that fail and give time for repair,
 * and those that begin to deny at a moment that they name (`enforce_from`, timestamps in them). Other
 * reliefs are left aside, as each of them may end before. The earliest first.
 */
export function comingDenials(
  input: Documents & {
    /** Attested; `device` is left out by whoever has not read it, if no clause reads it. */
    readonly record: ReliefRecord & { readonly attestation: RecordedAttestation }
    readonly device: TrustRecord | undefined
    readonly assessment: Pick<Assessment, 'clauseOutcomes'>
    readonly reliefs: Reliefs
    readonly now: Date
  },
): readonly ComingDenial[] {
  const { policy, referenceValues, record, device, reliefs, now } = input
  const { clauseOutcomes } = input.assessment
  const { attestation } = record
  const binding: BindingInput = { policy, referenceValues, device, attestation, reliefs, now }
  const situation = { record, reliefs, bindingOf: createBinding(binding), now }
  const coming: ComingDenial[] = []
  for (const outcome of clauseOutcomes) {
    const clause = policy.clauseById.get(outcome.clause)
    if (clause === undefined || clause.scope !== 'device') continue
    if (isBlocking(outcome)) {
      const grace = graceOfClause(outcome, situation)
      if (grace !== undefined) coming.push({ clause: clause.id, from: grace.until })
      continue
    }
    if (clause.severity !== 'enforce') continue
    const begins = clause.instants.find((at) => at > now.getTime() && blocksAt(clause, binding, at))
    if (begins === undefined) continue
    coming.push({ clause: clause.id, from: new Date(begins + (clause.graceMs ?? 0)) })
  }
  return coming.sort((a, b) => a.from.getTime() - b.from.getTime())
}
