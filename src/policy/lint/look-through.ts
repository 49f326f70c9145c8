import { MAX_FINDINGS, MAX_LINTED_CHARS } from '../limits.ts'
import type { LintFinding, LocatedFinding } from './finding.ts'
import { type JsonNode, readJsonText } from './json-text.ts'
import { createPositionFinder } from './position.ts'

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
export function lookThrough<T>(text: string, look: (node: JsonNode) => Looked<T>): Linted<T> {
  if (text.length > MAX_LINTED_CHARS) {
    const message = `has more than ${MAX_LINTED_CHARS} characters: no document may be that long`
    const at = { line: 1, column: 1 }
    const finding = { severity: 'error', code: 'document_over_limit', ...at, message } as const
    return { findings: [finding], compiled: undefined }
  }
  const { node, problems } = readJsonText(text)
  const looked = node === undefined ? { findings: [], compiled: undefined } : look(node)
  const found: readonly LocatedFinding[] = [
    ...problems.map((problem) => ({ severity: 'error' as const, ...problem })),
    ...(node === undefined ? [] : findUnstorable(node)),
    ...looked.findings,
  ]
  const positionOf = createPositionFinder(text)
  const errors = found.filter(({ severity }) => severity === 'error')
  const warnings = found.filter(({ severity }) => severity === 'warning')
  const findings = [...inOrder(errors), ...inOrder(warnings)]
    .slice(0, MAX_FINDINGS)
    .sort(byOffset)
    .map(({ offset, ...finding }) => ({ ...finding, ...positionOf(offset) }))
  // Of a member that is there twice nobody knows which one was meant.
  return { findings, compiled: problems.length > 0 ? undefined : looked.compiled }
}

const byOffset = (a: LocatedFinding, b: LocatedFinding) => a.offset - b.offset

function inOrder(findings: readonly LocatedFinding[]): readonly LocatedFinding[] {
  return findings.toSorted(byOffset)
}

/** What the database or RFC 8785 cannot keep: the stored document would be another one. */
function findUnstorable(node: JsonNode): readonly LocatedFinding[] {
  if (node.kind === 'array') return node.items.flatMap(findUnstorable)
  if (node.kind === 'object') {
    return node.members.flatMap(({ name, start, node: member }) => [
      ...(isStorable(name) ? [] : [describeUnstorable(start)]),
      ...findUnstorable(member),
    ])
  }
  return node.kind !== 'string' || isStorable(node.value) ? [] : [describeUnstorable(node.start)]
}

function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

function describeUnstorable(offset: number): LocatedFinding {
  const message = 'has the character U+0000 or half of a surrogate pair: delete it'
  return { severity: 'error', code: 'document_text_unstorable', offset, message }
}
