import type { ASTNode } from '@marcbachmann/cel-js'
import { type JsonNode, memberOf, offsetInString } from '../../base/json/tree.ts'
import { clockUseOf } from '../document/reads.ts'
import { readsHoursOfDates, readsMinutes } from '../language/clock-readings.ts'
import { nameOf } from '../language/constant-expression.ts'
import { analyseExpression, type Expression } from '../language/expression.ts'
import { bindVariables } from '../language/input.ts'
import { possibleOutcomes } from '../language/possible-outcomes.ts'
import { REQUEST_ROOTS, type RootName } from '../language/variables.ts'
import { MAX_EXPRESSION_CHARS } from '../limits.ts'
import type { LocatedFinding } from './finding.ts'

/** A clause as far as it can be read: findings about one do not depend on the others being right. */
export type LintedClause = {
  readonly id: string | undefined
  readonly node: JsonNode
  readonly when: LintedExpression | undefined
  readonly require: LintedExpression | undefined
  readonly severity: 'enforce' | 'report' | undefined
  /** As it is written; what is no time is for the schema to tell. */
  readonly enforceFrom: { readonly node: JsonNode; readonly at: number } | undefined
}

export type LintedExpression = {
  readonly member: 'when' | 'require' | 'device'
  readonly node: JsonNode
  /** Absent when it does not compile. */
  readonly ast: ASTNode | undefined
  /** The same, ready to be evaluated. */
  readonly analysed: Expression | undefined
  readonly roots: ReadonlySet<RootName>
  readonly findings: readonly LocatedFinding[]
}

export function readClause(node: JsonNode, text: string): LintedClause {
  const id = textOf(memberOf(node, 'id')?.node)
  const severity = textOf(memberOf(node, 'severity')?.node)
  return {
    id,
    node,
    when: readExpression(node, 'when', text),
    require: readExpression(node, 'require', text),
    severity: severity === 'enforce' || severity === 'report' ? severity : undefined,
    enforceFrom: readTime(memberOf(node, 'enforce_from')?.node),
  }
}

function readTime(node: JsonNode | undefined): LintedClause['enforceFrom'] {
  if (node?.kind !== 'string') return undefined
  const at = Date.parse(node.value)
  return Number.isNaN(at) ? undefined : { node, at }
}

const NO_ROOTS: ReadonlySet<RootName> = new Set()

function textOf(node: JsonNode | undefined): string | undefined {
  return node?.kind === 'string' ? node.value : undefined
}

/** What is empty or too long is for the schema to tell. */
export function readExpression(
  clause: JsonNode,
  member: LintedExpression['member'],
  text: string,
): LintedExpression | undefined {
  const node = memberOf(clause, member)?.node
  if (node?.kind !== 'string') return undefined
  const { value } = node
  if (value === '' || value.length > MAX_EXPRESSION_CHARS) {
    return { member, node, ast: undefined, analysed: undefined, roots: NO_ROOTS, findings: [] }
  }
  const analysis = analyseExpression(value)
  if (analysis.ok) {
    const { ast, expression } = analysis
    return { member, node, ast, analysed: expression, roots: expression.roots, findings: [] }
  }
  const findings = analysis.problems.map(({ reason, offset, message, suggestion }) => ({
    severity: 'error' as const,
    code: reason,
    member,
    offset: offsetInString(text, node, Math.min(offset, value.length)),
    message,
    ...(suggestion !== undefined && { suggestion }),
  }))
  return { member, node, ast: undefined, analysed: undefined, roots: NO_ROOTS, findings }
}

/** A date from which a clause denies: where it has passed, or nothing is denied from it on. */
export function findIdleDate(
  { severity, enforceFrom, when }: LintedClause,
  now: number,
): LocatedFinding[] {
  if (enforceFrom === undefined) return []
  const { node, at } = enforceFrom
  const warning = { severity: 'warning', member: 'enforce_from', offset: node.start } as const
  if (severity === 'report') {
    const message =
      "does nothing in a clause that only reports: let its severity be 'enforce', or leave it out"
    return [{ ...warning, code: 'policy_enforce_from_unused', message }]
  }
  if (at <= now) {
    const message = 'has passed, so that the clause denies already: leave it out'
    return [{ ...warning, code: 'policy_enforce_from_passed', message }]
  }
  if (when === undefined || !isOverAt(when, at)) return []
  const message =
    "is after everything that 'when' allows, so that the clause never denies: correct one of them"
  return [{ ...warning, code: 'policy_enforce_from_late', message }]
}

/** Whether it holds for nobody from a moment on, whatever else it reads. */
function isOverAt({ analysed }: LintedExpression, at: number): boolean {
  if (analysed === undefined || clockUseOf({ when: undefined, require: analysed }) !== 'dates') {
    return false
  }
  const moments = [at, ...analysed.instants.filter((moment) => moment > at)]
  return moments.every((moment) => {
    return analysed.evaluate(bindVariables({ now: new Date(moment) })) === false
  })
}

/** What a clause says that it cannot mean: it always passes, never does, or never applies. */
export function findConstants({ when, require, severity }: LintedClause): LocatedFinding[] {
  if (require?.ast === undefined || (when !== undefined && when.ast === undefined)) return []
  const outcomes = possibleOutcomes({ when: when?.ast, require: require.ast })
  if (when !== undefined && !outcomes.when.canHold) {
    const message =
      'is never true, so that the clause never applies: correct it, or drop the clause'
    return [warn('policy_when_unreachable', when, message)]
  }
  const isAlways = !outcomes.when.canFail && !outcomes.when.canBeUndecidable
  const findings: LocatedFinding[] = []
  if (when !== undefined && isAlways) {
    findings.push(warn('policy_when_constant', when, 'is always true: leave it out'))
  }
  const { canHold, canFail, canBeUndecidable } = outcomes.require
  const condition = when === undefined || isAlways ? '' : ' where the clause applies'
  if (!canHold) {
    const isError = severity === 'enforce' && condition === ''
    const effect = severity === 'report' ? 'reports' : 'denies'
    const message = `is never true${condition}, so that the clause ${effect} every device${condition && ' there'}: correct it`
    const finding = warn('policy_clause_denies_all', require, message)
    findings.push(isError ? { ...finding, severity: 'error' } : finding)
  } else if (!canFail) {
    const advice = canBeUndecidable
      ? 'it asks for no more than that its values are there, which has(…) says plainly'
      : 'correct it, or drop the clause'
    findings.push(warn('policy_clause_constant', require, `is never false${condition}: ${advice}`))
  }
  return findings
}

/** What may come and go between two moments at which a preview looks at a fleet. */
export function findMinutes({ when, require }: LintedClause): LocatedFinding[] {
  return [when, require].flatMap((one) => {
    if (one?.ast === undefined || !readsMinutes(one.ast)) return []
    const message =
      'goes by the minute (getMinutes, getSeconds, getMilliseconds, % or string() of the clock), which no preview can look at: compare with timestamp("…") or duration("30m"), or go by getHours()'
    return [{ ...warn('policy_clause_by_minute', one, message), severity: 'error' as const }]
  })
}

/** The same of hours that are not in every week. */
export function findHoursOfDates({ when, require }: LintedClause): LocatedFinding[] {
  const asts = [when, require].flatMap((one) => (one?.ast === undefined ? [] : [one.ast]))
  if (require === undefined || !readsHoursOfDates(asts)) return []
  const message =
    'goes by the hour on some dates only (getHours with getMonth, getDate or the like), which no preview can look at: say the dates with timestamp("…")'
  return [{ ...warn('policy_clause_by_hour_of_date', require, message), severity: 'error' }]
}

/** Time for repair where there is nothing to repair on the device, or nobody is denied. */
export function findIdleGrace({ node, severity, when, require }: LintedClause): LocatedFinding[] {
  const grace = memberOf(node, 'grace_seconds')
  if (grace === undefined) return []
  const roots = [...(when?.roots ?? []), ...(require?.roots ?? [])]
  const isAboutRequests = roots.some((root) => REQUEST_ROOTS.has(root))
  if (severity !== 'report' && !isAboutRequests) return []
  const why = isAboutRequests ? 'reads the request' : 'only reports'
  const message = `does nothing in a clause that ${why}: grace is for what is repaired on the device; leave it out`
  const at = { severity: 'warning', code: 'policy_grace_unused', member: 'grace_seconds' } as const
  return [{ ...at, offset: grace.node.start, message }]
}

function warn(
  code: LocatedFinding['code'],
  { member, node }: LintedExpression,
  message: string,
): LocatedFinding {
  return { severity: 'warning', code, member, offset: node.start, message }
}

/** The same for the same condition and requirement, however they are spaced. */
export function meaningOf({ when, require }: LintedClause): string | undefined {
  if (require?.ast === undefined || (when !== undefined && when.ast === undefined)) return undefined
  return `${when?.ast === undefined ? '' : nameOf(when.ast)} ${nameOf(require.ast)}`
}
