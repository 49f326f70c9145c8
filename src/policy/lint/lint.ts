import { type JsonNode, memberOf, plainValueOf } from '../../base/json/tree.ts'
import { type CompiledPolicy, compilePolicy, type PolicyFailure } from '../document/compile.ts'
import { policySchema } from '../document/document.ts'
import { MAX_CLAUSES, MAX_LANGUAGES, MAX_POLICY_DOCUMENT_CHARS } from '../limits.ts'
import {
  findConstants,
  findHoursOfDates,
  findIdleDate,
  findIdleGrace,
  findMinutes,
  type LintedClause,
  meaningOf,
  readClause,
} from './clause-findings.ts'
import { findDeviceCondition } from './device-findings.ts'
import type { LocatedFinding } from './finding.ts'
import { type Linted, type LintSource, lookThrough } from './look-through.ts'
import { findSchemaProblems } from './schema-findings.ts'

/**
 * Gate one: all that is wrong with the JSON text of a policy, and all that looks wrong at `now`, in
 * the order of the text. A document without an error compiles. Whatever the text is, this neither throws nor
 * takes long.
 */
export function lintPolicy(
  source: LintSource,
  { now }: { readonly now: Date },
): Linted<CompiledPolicy> {
  return lookThrough(source, (node, text) => {
    const clauses = clausesOf(node).map((clause) => readClause(clause, text))
    const found = [
      ...findSchemaFaults(node, clauses),
      ...findDeviceCondition(node, text, clauses),
      ...clauses.flatMap((clause) => findClauseFaults(clause, now)),
      ...findRepeated(clauses),
      ...findMissingTexts(clauses),
    ]
    const compiled = compilePolicy(plainValueOf(node))
    if (compiled.ok) return { findings: found, compiled: compiled.value }
    const isTold = found.some(({ severity }) => severity === 'error')
    const findings = isTold ? found : [...found, ...describeFailure(compiled.failure, node)]
    return { findings, compiled: undefined }
  })
}

/** More clauses than there may be are told by the schema, and not looked into. */
function clausesOf(node: JsonNode): readonly JsonNode[] {
  const clauses = memberOf(node, 'clauses')?.node
  if (clauses?.kind !== 'array') return []
  return clauses.items.slice(0, MAX_CLAUSES)
}

/** Paths inside of a clause are told from the clause on. */
function findSchemaFaults(
  node: JsonNode,
  clauses: readonly LintedClause[],
): readonly LocatedFinding[] {
  return findSchemaProblems(node, policySchema).map(({ path, ...problem }) => {
    const [first, index] = path
    const id = first === 'clauses' && typeof index === 'number' ? clauses[index]?.id : undefined
    const member = (id === undefined ? path : path.slice(2)).map(String).join('.')
    return {
      severity: 'error',
      ...problem,
      ...(id !== undefined && { clause: id }),
      ...(member !== '' && { member }),
    }
  })
}

function findClauseFaults(clause: LintedClause, now: Date): readonly LocatedFinding[] {
  const { when, require } = clause
  const found = [
    ...(when?.findings ?? []),
    ...(require?.findings ?? []),
    ...findConstants(clause),
    ...findMinutes(clause),
    ...findHoursOfDates(clause),
    ...findIdleGrace(clause),
    ...findIdleDate(clause, now.getTime()),
  ]
  return found.map((finding) => inClause(clause, finding))
}

function inClause({ id }: LintedClause, finding: LocatedFinding): LocatedFinding {
  return id === undefined ? finding : { ...finding, clause: id }
}

function findRepeated(clauses: readonly LintedClause[]): readonly LocatedFinding[] {
  const ids = new Set<string>()
  const meanings = new Map<string, LintedClause>()
  const found: LocatedFinding[] = []
  for (const clause of clauses) {
    const { id } = clause
    if (id !== undefined && ids.has(id)) {
      const offset = memberOf(clause.node, 'id')?.node.start ?? clause.node.start
      const message = `the clause ${id} is there already: give this one another id, or delete it`
      const at = { severity: 'error', code: 'policy_clause_repeated', member: 'id' } as const
      found.push(inClause(clause, { ...at, offset, message }))
    }
    if (id !== undefined) ids.add(id)
    const meaning = meaningOf(clause)
    if (meaning === undefined) continue
    const first = meanings.get(meaning)
    if (first === undefined) meanings.set(meaning, clause)
    else found.push(describeDuplicate(clause, first))
  }
  return found
}

function describeDuplicate(clause: LintedClause, first: LintedClause): LocatedFinding {
  const name = first.id === undefined ? 'an earlier clause' : `the clause ${first.id}`
  return inClause(clause, {
    severity: 'warning',
    code: 'policy_clause_duplicate',
    member: 'require',
    offset: clause.require?.node.start ?? clause.node.start,
    message: `asks for the same as ${name}: delete one of them`,
  })
}

/** English is asked for by the schema; another language is missing where other clauses have it. */
function findMissingTexts(clauses: readonly LintedClause[]): readonly LocatedFinding[] {
  const languages = [...new Set(clauses.flatMap(languagesOf))].slice(0, MAX_LANGUAGES)
  return clauses.flatMap((clause) => {
    const texts = memberOf(clause.node, 'texts')
    if (texts?.node.kind !== 'object') return []
    const own = new Set(languagesOf(clause))
    const missing = languages.filter((language) => language !== 'en' && !own.has(language))
    if (missing.length === 0) return []
    const message = `has no text in ${missing.join(', ')}, which other clauses have: add it, or people read the English one`
    const { start: offset } = texts
    const at = { severity: 'warning', code: 'policy_text_missing', member: 'texts' } as const
    return [inClause(clause, { ...at, offset, message })]
  })
}

function languagesOf({ node }: LintedClause): readonly string[] {
  const texts = memberOf(node, 'texts')?.node
  return texts?.kind === 'object' ? [...texts.members.keys()] : []
}

/** What counts in the end: lint must never let through what does not compile. */
function describeFailure(failure: PolicyFailure, node: JsonNode): readonly LocatedFinding[] {
  // Of a document that suits the schema, only text that cannot be stored is invalid: it is told.
  if (failure.reason === 'policy_document_invalid') return []
  const isTooLong = failure.reason === 'policy_over_limit'
  const code = isTooLong ? 'document_over_limit' : 'document_value_invalid'
  const message = isTooLong
    ? `has more than ${MAX_POLICY_DOCUMENT_CHARS} characters: shorten texts, or drop clauses`
    : `does not compile: ${failure.reason}`
  return [{ severity: 'error', code, offset: node.start, message }]
}
