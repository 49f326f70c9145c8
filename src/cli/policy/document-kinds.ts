import { checkDocument } from '../../operations/release/check-document.ts'
import type { PolicyDocument } from '../../policy/document/document.ts'
import type { LintFinding } from '../../policy/lint/finding.ts'
import { lintPolicy } from '../../policy/lint/lint.ts'
import { lintReferenceValues } from '../../policy/lint/reference-values.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'

export {
  bodyOf,
  type CheckedDocument,
  checkDocument,
} from '../../operations/release/check-document.ts'

/** In the order in which changes of both come into force: what a policy asks for is listed first. */
export const KINDS = ['reference-values', 'policy'] as const satisfies readonly DocumentKind[]

/** The file of each kind in a folder of documents. */
export const FILE_OF_KIND: Readonly<Record<DocumentKind, string>> = {
  policy: 'policy.json',
  'reference-values': 'reference-values.json',
}

/** What people call one document of a kind. */
export const NAME_OF_KIND: Readonly<Record<DocumentKind, string>> = {
  policy: 'policy',
  'reference-values': 'set of reference values',
}

export function kindOption(kind: DocumentKind): string {
  return kind === 'policy' ? '' : ` --kind ${kind}`
}

export function lintDocument(kind: DocumentKind, text: string, now: Date): readonly LintFinding[] {
  const linted = kind === 'policy' ? lintPolicy(text) : lintReferenceValues(text, { now })
  return linted.findings
}

/**
 * A document as text: the same text for the same document, whoever wrote it and however the database
 * keeps it, with members in the order in which people read them.
 */
export function formatDocument(kind: DocumentKind, body: unknown): string {
  const checked = checkDocument(kind, body)
  // What an earlier version stored and this one does not take is shown as it is.
  const document = checked.ok ? checked.value.document : sortMembers(body)
  const ordered = 'clauses' in Object(document) ? orderTexts(document as PolicyDocument) : document
  return `${JSON.stringify(ordered, null, 2)}\n`
}

/** The schema puts all members in their order, but for languages, which it does not list. */
function orderTexts(policy: PolicyDocument): unknown {
  if (!Array.isArray(policy.clauses)) return policy
  const clauses = policy.clauses.map((clause) => {
    const { en, ...others } = Object(clause.texts)
    return { ...clause, texts: { en, ...Object(sortMembers(others)) } }
  })
  return { ...policy, clauses }
}

function sortMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortMembers)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(members.map(([name, member]) => [name, sortMembers(member)]))
}
