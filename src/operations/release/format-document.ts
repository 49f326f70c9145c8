import { referenceValuesSchema } from '../../appraisal/reference-values.ts'
import { type PolicyDocument, policySchema } from '../../policy/document/document.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'

/**
 * A document as text: the same text for the same document, whoever wrote it and however the database
 * keeps it, with members in the order in which people read them. `body` is JSON; what an earlier
 * version stored and this one does not take is written as it is.
 */
export function formatDocument(kind: DocumentKind, body: unknown): string {
  return `${JSON.stringify(inOrder(kind, body), null, 2)}\n`
}

/** The schema puts all members in their order, but for languages, which it does not list. */
function inOrder(kind: DocumentKind, body: unknown): unknown {
  const parsed = (kind === 'policy' ? policySchema : referenceValuesSchema).safeParse(body)
  if (!parsed.success) return sortMembers(body)
  return 'clauses' in parsed.data ? orderTexts(parsed.data) : parsed.data
}

function orderTexts(policy: PolicyDocument): unknown {
  const clauses = policy.clauses.map((clause) => {
    const { en, ...others } = clause.texts
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
