import { MAX_FINDINGS, MAX_LINTED_CHARS } from '../limits.ts'
import type { LintFinding, LocatedFinding } from './finding.ts'
import { type JsonNode, readJsonText } from './json-text.ts'
import { createPositionFinder } from './position.ts'

/**
 * Reads a document and lets `check` look through it. What it finds comes out in the order of the
 * text, with lines and columns, and cut to a number that can be read: errors are never cut for the
 * sake of warnings.
 */
export function checkDocument(
  text: string,
  check: (node: JsonNode) => readonly LocatedFinding[],
): readonly LintFinding[] {
  if (text.length > MAX_LINTED_CHARS) {
    const message = `has more than ${MAX_LINTED_CHARS} characters: no document may be that long`
    return [{ severity: 'error', code: 'document_over_limit', line: 1, column: 1, message }]
  }
  const { node, problems } = readJsonText(text)
  const found: readonly LocatedFinding[] = [
    ...problems.map((problem) => ({ severity: 'error' as const, ...problem })),
    ...(node === undefined ? [] : [...findUnstorable(node), ...check(node)]),
  ]
  const positionOf = createPositionFinder(text)
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
