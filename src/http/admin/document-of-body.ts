import { z } from 'zod'
import { err, ok, type Result } from '../../base/result.ts'
import type { Services } from '../../compose/services.ts'
import {
  type CheckedDocument,
  checkDocument,
  findUsable,
} from '../../operations/release/check-document.ts'
import { lintPolicy } from '../../policy/lint/lint.ts'
import { lintReferenceValues } from '../../policy/lint/reference-values.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { HttpContext } from '../environment.ts'
import { answerProblem } from '../errors/problem.ts'

/** Which document a request is about: one that it carries, or a version that is kept here. */
export const documentMembers = {
  kind: z.enum(['policy', 'reference-values']),
  document: z.record(z.string(), z.unknown()).optional(),
  hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be the hash of a document')
    .optional(),
}

type Answered = { readonly reason: 'answered'; readonly answer: Response }

type DocumentInBody = {
  readonly kind: DocumentKind
  readonly document?: Readonly<Record<string, unknown>> | undefined
  readonly hash?: string | undefined
}

/** The document that a request names, if it could come into force. */
export async function readDocument(
  c: HttpContext,
  services: Services,
  { kind, document, hash }: DocumentInBody,
): Promise<Result<CheckedDocument, Answered>> {
  if ((document === undefined) === (hash === undefined)) {
    const answer = answerProblem(c, 'request_malformed', 'say either document or hash')
    return err({ reason: 'answered', answer })
  }
  if (hash === undefined) return compileDocument(c, kind, document)
  const stored = await findUsable(services.store, kind, hash)
  if (stored.ok) return stored
  return err({ reason: 'answered', answer: answerProblem(c, stored.failure.reason) })
}

/** A document that does not compile never comes into force; its mistakes are told as they are. */
export function compileDocument(
  c: HttpContext,
  kind: DocumentKind,
  document: unknown,
): Result<CheckedDocument, Answered> {
  const compiled = checkDocument(kind, document)
  if (compiled.ok) return compiled
  const { reason: mistake, ...where } = compiled.failure
  const answer = answerProblem(c, 'document_refused', mistake, { mistake, ...where })
  return err({ reason: 'answered', answer })
}

/** Gate one for a large fleet: nothing that lint calls an error, such as a clause that denies all. */
export function demandLint(
  c: HttpContext,
  kind: DocumentKind,
  { document, now }: { readonly document: CheckedDocument; readonly now: Date },
): Result<CheckedDocument, Answered> {
  const text = JSON.stringify(document.document)
  const { findings: all } =
    kind === 'policy' ? lintPolicy(text) : lintReferenceValues(text, { now })
  const findings = all.filter(({ severity }) => severity === 'error')
  const [first] = findings
  if (first === undefined) return ok(document)
  const members = { mistake: first.code, findings: findings.map(withoutPlace) }
  const answer = answerProblem(c, 'document_refused', first.message, members)
  return err({ reason: 'answered', answer })
}

/** Places in the text that we wrote mean nothing to whoever wrote the document. */
function withoutPlace<T extends { readonly line: number; readonly column: number }>({
  line: _,
  column: __,
  ...finding
}: T) {
  return finding
}
