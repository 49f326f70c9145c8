import { isStorableText } from '../../base/encoding.ts'
import { createPositionFinder, type Position } from '../../base/json/position.ts'
import {
  type JsonFailure,
  type JsonNode,
  type JsonTree,
  readJsonTree,
} from '../../base/json/tree.ts'
import { ok, type Result } from '../../base/result.ts'
import { MAX_FINDINGS, MAX_JSON_DEPTH, MAX_LINTED_CHARS } from '../limits.ts'
import type { LintCode, LintFinding, LocatedFinding } from './finding.ts'

/**
 * A document that lint looks through: its text, or a part of a text that was read before, such as
 * the member of a request that holds it. Lines and columns count from where the document begins.
 */
export type LintSource = string | JsonTree

/** What lint says of a document, and the document ready for use. */
export type Linted<T> = {
  readonly findings: readonly LintFinding[]
  /** Absent if it could not come into force whatever anybody accepts, as the findings say. */
  readonly compiled: T | undefined
}

/** What looking through a document found, its places not yet counted in lines. */
export type Looked<T> = {
  readonly findings: readonly LocatedFinding[]
  readonly compiled: T | undefined
}

/**
 * Reads a document and lets `look` look through it. What it finds comes out in the order of the
 * text, with lines and columns, and cut to a number that can be read: errors are never cut for the
 * sake of warnings.
 */
export function lookThrough<T>(
  source: LintSource,
  look: (root: JsonNode, text: string) => Looked<T>,
): Linted<T> {
  const length = typeof source === 'string' ? source.length : source.root.end - source.root.start
  if (length > MAX_LINTED_CHARS) {
    const message = `has more than ${MAX_LINTED_CHARS} characters: no document may be that long`
    const at = { line: 1, column: 1 }
    const finding = { severity: 'error', code: 'document_over_limit', ...at, message } as const
    return { findings: [finding], compiled: undefined }
  }
  const tree = typeof source === 'string' ? read(source) : ok(source)
  if (!tree.ok) {
    const positionOf = createPositionFinder(String(source))
    return { findings: locate([describeFailure(tree.failure)], positionOf), compiled: undefined }
  }
  const { text, start, root, repeated } = tree.value
  const looked = look(root, text)
  const found = [...repeated.map(describeRepeated), ...findUnstorable(root), ...looked.findings]
  const findings = locate(found, createPositionFinder(text, start))
  // Of a member that is there twice nobody knows which one was meant.
  return { findings, compiled: repeated.length > 0 ? undefined : looked.compiled }
}

function read(text: string): Result<JsonTree, JsonFailure> {
  return readJsonTree(text, { maxDepth: MAX_JSON_DEPTH, repeatedMembers: 'report' })
}

const CODE_OF: Readonly<Record<JsonFailure['reason'], LintCode>> = {
  json_malformed: 'json_syntax',
  json_too_deep: 'json_too_deep',
  json_duplicate_member: 'json_member_repeated',
  json_too_many_values: 'document_over_limit',
}

function describeFailure({ reason, offset, detail }: JsonFailure): LocatedFinding {
  return { severity: 'error', code: CODE_OF[reason], offset, message: detail }
}

function describeRepeated({ name, offset }: JsonTree['repeated'][number]): LocatedFinding {
  const message = `the member ${JSON.stringify(name)} is there already: delete one of them`
  return { severity: 'error', code: 'json_member_repeated', offset, message }
}

function locate(
  found: readonly LocatedFinding[],
  positionOf: (offset: number) => Position,
): readonly LintFinding[] {
  const errors = found.filter(({ severity }) => severity === 'error')
  const warnings = found.filter(({ severity }) => severity === 'warning')
  return [...inOrder(errors), ...inOrder(warnings)]
    .slice(0, MAX_FINDINGS)
    .sort(byOffset)
    .map(({ offset, ...finding }) => ({ ...finding, ...positionOf(offset) }))
}

const byOffset = (a: LocatedFinding, b: LocatedFinding) => a.offset - b.offset

function inOrder(findings: readonly LocatedFinding[]): readonly LocatedFinding[] {
  return findings.toSorted(byOffset)
}

/** What the database or RFC 8785 cannot keep: the stored document would be another one. */
function findUnstorable(node: JsonNode): readonly LocatedFinding[] {
  if (node.kind === 'array') return node.items.flatMap(findUnstorable)
  if (node.kind === 'object') {
    return [...node.members.values()].flatMap(({ name, start, node: member }) => [
      ...(isStorableText(name) ? [] : [describeUnstorable(start)]),
      ...findUnstorable(member),
    ])
  }
  return node.kind !== 'string' || isStorableText(node.value)
    ? []
    : [describeUnstorable(node.start)]
}

function describeUnstorable(offset: number): LocatedFinding {
  const message = 'has the character U+0000 or half of a surrogate pair: delete it'
  return { severity: 'error', code: 'document_text_unstorable', offset, message }
}
