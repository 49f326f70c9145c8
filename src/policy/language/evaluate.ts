import type { ClauseScope, CompiledClause, CompiledPolicy } from '../document/compile.ts'
import type { Severity } from '../document/document.ts'
import { bindVariables, type PolicyInput, type RequestFacts, type Variables } from './input.ts'

/** What one clause says about one device, or about one request that concerns it. */
export type ClauseOutcome = {
  readonly clause: string
  readonly scope: ClauseScope
  /** At the time of the evaluation (`severityAt`). */
  readonly severity: Severity
  readonly status: ClauseStatus
  /** Why it is undecidable, for an administrator: `No such key: enclaveSvn`. */
  readonly cause?: string
  /** Of a clause that gives time for repair. */
  readonly graceMs?: number
}

/** `undecidable`: it needs a value that is absent. `not_applicable`: its `when` is false. */
export type ClauseStatus = 'pass' | 'fail' | 'undecidable' | 'not_applicable'

/** What is known of clauses over the same input, by what they ask (`CompiledClause.logic`). */
export type KnownOutcomes = ReadonlyMap<string, Judgement>

/** What a clause says, apart from what its document makes of it. */
export type Judgement = Pick<ClauseOutcome, 'status' | 'cause'>

/** The outcomes that `evaluatePolicy` gave for this policy, for the clauses of another one. */
export function outcomesByLogic(
  { clauseById }: CompiledPolicy,
  outcomes: readonly ClauseOutcome[],
): KnownOutcomes {
  const known = new Map<string, Judgement>()
  for (const outcome of outcomes) {
    const clause = clauseById.get(outcome.clause)
    if (clause !== undefined) known.set(clause.logic, outcome)
  }
  return known
}

const MAX_CAUSE_CHARS = 200

/**
 * Evaluates the clauses that decide about a device, or all clauses for a request, in the order of
 * the document. It never throws over what the input holds or lacks.
 */
export function evaluatePolicy(
  policy: CompiledPolicy,
  input: PolicyInput,
  options: { readonly scope: ClauseScope; readonly known?: KnownOutcomes | undefined },
): readonly ClauseOutcome[] {
  const variables = bindVariables(input)
  const clauses = options.scope === 'device' ? policy.deviceClauses : policy.clauses
  const { now } = input
  return clauses.map((clause) => {
    const known = options.known?.get(clause.logic) ?? judgeClause(clause, variables)
    return outcomeOf(clause, known, now)
  })
}

/** What a clause that reads the device says where there is none. */
const NO_DEVICE = 'No device'

/**
 * Evaluates all clauses for a question that names no device. What reads `device` or `attestation` is
 * undecidable as a whole, whatever else stands beside it in the expression: `||` makes up for no device.
 * Such a clause is passed over only where a `when` that reads neither of them says so.
 */
export function evaluateWithoutDevice(
  policy: CompiledPolicy,
  { request, now }: Required<Pick<PolicyInput, 'request' | 'now'>>,
): readonly ClauseOutcome[] {
  const variables = bindVariables({ request, now })
  return policy.clauses.map((clause) => {
    const { when, require } = clause.readsEvidence
    const judged = when ? undecidable(NO_DEVICE) : judgeClause(clause, variables)
    const isPassedOver = judged.status === 'not_applicable'
    return outcomeOf(clause, require && !isPassedOver ? undecidable(NO_DEVICE) : judged, now)
  })
}

/** Whether a question has to name a device: unless the policy says no, beyond doubt. */
export function demandsDevice(
  { deviceCondition }: Pick<CompiledPolicy, 'deviceCondition'>,
  { subject, resource, action, context }: RequestFacts,
): boolean {
  if (deviceCondition === undefined) return true
  return deviceCondition.evaluate({ subject, resource, action, context }) !== false
}

/** What one clause says, by itself, at the time of the input. */
export function evaluateClause(clause: CompiledClause, input: PolicyInput): ClauseOutcome {
  return outcomeOf(clause, judgeClause(clause, bindVariables(input)), input.now)
}

/** A clause only reports before its `enforce_from`, whatever its severity is. */
export function severityAt(
  { severity, enforceFrom }: Pick<CompiledClause, 'severity' | 'enforceFrom'>,
  now: Date,
): Severity {
  return enforceFrom === undefined || now >= enforceFrom ? severity : 'report'
}

/** Whether a clause is in the way of a device, if nothing relieves it. */
export function isBlocking({ severity, status }: ClauseOutcome): boolean {
  return severity === 'enforce' && (status === 'fail' || status === 'undecidable')
}

function judgeClause(clause: CompiledClause, variables: Variables): Judgement {
  const applies = clause.when === undefined || clause.when.evaluate(variables)
  if (applies === false) return NOT_APPLICABLE
  if (applies !== true) return undecidable(applies)
  const holds = clause.require.evaluate(variables)
  if (typeof holds === 'string') return undecidable(holds)
  return holds ? PASS : FAIL
}

const PASS: Judgement = { status: 'pass' }
const FAIL: Judgement = { status: 'fail' }
const NOT_APPLICABLE: Judgement = { status: 'not_applicable' }

function undecidable(cause: string): Judgement {
  return { status: 'undecidable', cause: cause.slice(0, MAX_CAUSE_CHARS) }
}

/** What its document makes of what a clause says. */
export function outcomeOf(
  clause: CompiledClause,
  { status, cause }: Judgement,
  now: Date,
): ClauseOutcome {
  const { id, scope, graceMs } = clause
  const outcome = { clause: id, scope, severity: severityAt(clause, now), status }
  if (cause === undefined && graceMs === undefined) return outcome
  return {
    ...outcome,
    ...(cause !== undefined && { cause }),
    ...(graceMs !== undefined && { graceMs }),
  }
}
