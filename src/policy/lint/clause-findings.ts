import type { ASTNode } from '@marcbachmann/cel-js'
import { nameOf } from '../constant-expression.ts'
import { analyseExpression } from '../expression.ts'
import { MAX_EXPRESSION_CHARS } from '../limits.ts'
import { possibleOutcomes } from '../possible-outcomes.ts'
import type { LocatedFinding } from './finding.ts'
import { type JsonNode, memberOf, offsetInString } from './json-text.ts'

/** A clause as far as it can be read: findings about one do not depend on the others being right. */
export type LintedClause = {
  readonly id: string | undefined
  readonly node: JsonNode
  readonly when: LintedExpression | undefined
  readonly require: LintedExpression | undefined
  readonly severity: 'enforce' | 'report' | undefined
}

export type LintedExpression = {
  readonly member: 'when' | 'require'
  readonly node: JsonNode
  /** Absent when it does not compile. */
  readonly ast: ASTNode | undefined
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
  }
}

function textOf(node: JsonNode | undefined): string | undefined {
  return node?.kind === 'string' ? node.value : undefined
}

/** What is empty or too long is for the schema to tell. */
function readExpression(
  clause: JsonNode,
  member: LintedExpression['member'],
  text: string,
): LintedExpression | undefined {
  const node = memberOf(clause, member)?.node
  if (node?.kind !== 'string') return undefined
  const { value } = node
  if (value === '' || value.length > MAX_EXPRESSION_CHARS) {
    return { member, node, ast: undefined, findings: [] }
  }
  const analysis = analyseExpression(value)
  if (analysis.ok) return { member, node, ast: analysis.ast, findings: [] }
  const findings = analysis.problems.map(({ reason, offset, message, suggestion }) => ({
    severity: 'error' as const,
    code: reason,
    member,
    offset: offsetInString(text, node, Math.min(offset, value.length)),
    message,
    ...(suggestion !== undefined && { suggestion }),
  }))
  return { member, node, ast: undefined, findings }
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
