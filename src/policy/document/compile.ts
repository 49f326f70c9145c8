import type { MeasuredAt } from '../../appraisal/claims.ts'
import { type DocumentProblem, problemsOf } from '../../appraisal/reference-values.ts'
import { type DocumentHash, nameKeptDocument } from '../../base/document-hash.ts'
import { err, ok, type Result } from '../../base/result.ts'
import {
  compileExpression,
  type Expression,
  type ExpressionFailure,
} from '../language/expression.ts'
import { EVIDENCE_ROOTS, REQUEST_ROOTS, type RootName } from '../language/variables.ts'
import { MAX_POLICY_DOCUMENT_CHARS } from '../limits.ts'
import {
  type ClauseDocument,
  type PolicyDocument,
  policySchema,
  type Severity,
  type Texts,
} from './document.ts'
import {
  type ClockUse,
  clockUseOf,
  type DirectoryRoot,
  dependsOnAppraisal,
  directoryRootsOf,
} from './reads.ts'

/** A policy that is ready to be evaluated. Immutable, and named by the hash of its document. */
export type CompiledPolicy = {
  /** SHA-256 of the document's RFC 8785 form: 64 hexadecimal digits. */
  readonly hash: DocumentHash
  readonly document: PolicyDocument
  /** In the order of the document. */
  readonly clauses: readonly CompiledClause[]
  readonly deviceClauses: readonly CompiledClause[]
  readonly clauseById: ReadonlyMap<string, CompiledClause>
  /** Whether the verdict on a device needs more than its attestation: a clause reads `device`. */
  readonly usesDevice: boolean
  /** When a question has to name a device; undefined where it always has to. */
  readonly deviceCondition: Expression | undefined
  /** The variables whose `properties` it may read: what a directory is asked for. */
  readonly directoryRoots: ReadonlySet<DirectoryRoot>
}

export type CompiledClause = {
  readonly id: string
  readonly scope: ClauseScope
  /** What it comes to at last; what it is at a time `severityAt` says. */
  readonly severity: Severity
  /** Until then it only reports. */
  readonly enforceFrom: Date | undefined
  readonly texts: Texts
  /** Time for repair; counts for device clauses that are enforced. */
  readonly graceMs: number | undefined
  /** It may be held where many good devices fail it at once. */
  readonly isHeld: boolean
  /** `boot`: what it asks for can only be seen after a restart. */
  readonly measuredAt: MeasuredAt | undefined
  readonly when: Expression | undefined
  readonly require: Expression
  /** Moments at which it may change by the clock alone, ascending, in milliseconds of the epoch. */
  readonly instants: readonly number[]
  /** Dates that its expressions name beyond these. */
  readonly datesLeftOut: number
  readonly clock: ClockUse
  /** Whether the clock changes it at those moments alone, but for what comes back within a week. */
  readonly namesAllDates: boolean
  /** The time zones in which it asks for hours, days and dates; `undefined` where one is computed. */
  readonly zones: readonly string[] | undefined
  /** Reference values can change what it says. */
  readonly readsAppraisal: boolean
  /** `when` or `require` reads `device` or `attestation`. */
  readonly readsEvidence: { readonly when: boolean; readonly require: boolean }
  /** Equal for clauses that say the same of the same input, in whatever documents they are. */
  readonly logic: string
}

/** `device` clauses decide the verdict on a device, `request` clauses only single requests. */
export type ClauseScope = 'device' | 'request'

export const POLICY_REASONS = [
  'policy_document_invalid',
  'policy_over_limit',
  'policy_clause_repeated',
  'policy_device_not_of_request',
] as const

export type PolicyFailure =
  | { readonly reason: 'policy_document_invalid'; readonly problems: readonly DocumentProblem[] }
  | { readonly reason: 'policy_over_limit'; readonly maxChars: number }
  | { readonly reason: 'policy_clause_repeated'; readonly clause: string }
  /** Whether a device is demanded hangs on the request alone: not on the device, nor on the time. */
  | { readonly reason: 'policy_device_not_of_request'; readonly root: RootName }
  | ClauseFailure
  | DeviceConditionFailure

/** What is wrong with the expression that says for which questions a device is demanded. */
export type DeviceConditionFailure = ExpressionFailure & { readonly member: 'device' }

/** An expression failure and the clause and member that it is in. */
export type ClauseFailure = ExpressionFailure & {
  readonly clause: string
  readonly member: 'when' | 'require'
}

/** Checks a policy document whole: what compiles has no unknown name and no type error. */
export function compilePolicy(json: unknown): Result<CompiledPolicy, PolicyFailure> {
  const parsed = policySchema.safeParse(json)
  if (!parsed.success) {
    return err({ reason: 'policy_document_invalid', problems: problemsOf(parsed.error) })
  }
  const document = parsed.data
  const named = nameKeptDocument(document)
  if (named === undefined) {
    const problems = [
      { path: '', message: 'has text that cannot be kept: U+0000 or half of a surrogate pair' },
    ]
    return err({ reason: 'policy_document_invalid', problems })
  }
  if (named.canonical.length > MAX_POLICY_DOCUMENT_CHARS) {
    return err({ reason: 'policy_over_limit', maxChars: MAX_POLICY_DOCUMENT_CHARS })
  }
  const condition = compileDeviceCondition(document.device)
  if (!condition.ok) return condition
  const clauses: CompiledClause[] = []
  const clauseById = new Map<string, CompiledClause>()
  for (const clause of document.clauses) {
    if (clauseById.has(clause.id)) {
      return err({ reason: 'policy_clause_repeated', clause: clause.id })
    }
    const compiled = compileClause(clause)
    if (!compiled.ok) return compiled
    clauses.push(compiled.value)
    clauseById.set(clause.id, compiled.value)
  }
  const deviceClauses = clauses.filter(({ scope }) => scope === 'device')
  const usesDevice = deviceClauses.some((clause) => readsRoot(clause, 'device'))
  const expressions = [
    ...(condition.value === undefined ? [] : [condition.value]),
    ...clauses.flatMap(({ when, require }) => (when === undefined ? [require] : [when, require])),
  ]
  return ok({
    ...{ hash: named.hash, document, clauses, deviceClauses, clauseById, usesDevice },
    deviceCondition: condition.value,
    directoryRoots: directoryRootsOf(expressions),
  })
}

/** The word in the place of a condition that every question has to name a device. */
export const DEVICE_ALWAYS = 'always'

function compileDeviceCondition(
  source: string | undefined,
): Result<Expression | undefined, PolicyFailure> {
  if (source === undefined || source === DEVICE_ALWAYS) return ok(undefined)
  const compiled = compileExpression(source)
  if (!compiled.ok) return err({ ...compiled.failure, member: 'device' })
  const root = [...compiled.value.roots].find((one) => !REQUEST_ROOTS.has(one))
  return root === undefined ? compiled : err({ reason: 'policy_device_not_of_request', root })
}

function compileClause(clause: ClauseDocument): Result<CompiledClause, ClauseFailure> {
  let when: Expression | undefined
  if (clause.when !== undefined) {
    const compiled = compileExpression(clause.when)
    if (!compiled.ok) return err({ ...compiled.failure, clause: clause.id, member: 'when' })
    when = compiled.value
  }
  const compiled = compileExpression(clause.require)
  if (!compiled.ok) return err({ ...compiled.failure, clause: clause.id, member: 'require' })
  const require = compiled.value

  const roots = [...require.roots, ...(when?.roots ?? [])]
  const enforceFrom = clause.enforce_from === undefined ? [] : [new Date(clause.enforce_from)]
  const starts = enforceFrom.map((date) => date.getTime())
  const instants = new Set([...starts, ...(when?.instants ?? []), ...require.instants])
  return ok({
    id: clause.id,
    scope: roots.some((root) => REQUEST_ROOTS.has(root)) ? 'request' : 'device',
    severity: clause.severity,
    enforceFrom: enforceFrom[0],
    texts: clause.texts,
    graceMs: clause.grace_seconds === undefined ? undefined : clause.grace_seconds * 1000,
    isHeld: clause.hold === undefined,
    measuredAt: require.measuredAt,
    when,
    require,
    instants: [...instants].sort((a, b) => a - b),
    datesLeftOut: require.datesLeftOut + (when?.datesLeftOut ?? 0),
    clock: clockUseOf({ when, require }),
    namesAllDates: require.namesAllDates && when?.namesAllDates !== false,
    zones: zonesOf([when, require]),
    readsAppraisal: dependsOnAppraisal({ when, require }),
    readsEvidence: {
      when: when !== undefined && readsEvidence(when),
      require: readsEvidence(require),
    },
    logic: JSON.stringify([when?.source, require.source]),
  })
}

function zonesOf(expressions: readonly (Expression | undefined)[]): CompiledClause['zones'] {
  const zones = expressions.map((one) => (one === undefined ? [] : one.zones))
  return zones.every((one) => one !== undefined) ? [...new Set(zones.flat())] : undefined
}

function readsRoot({ when, require }: CompiledClause, root: RootName): boolean {
  return require.roots.has(root) || when?.roots.has(root) === true
}

function readsEvidence({ roots }: Expression): boolean {
  return [...roots].some((root) => EVIDENCE_ROOTS.has(root))
}
