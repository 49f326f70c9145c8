import { z } from 'zod'
import { memberOf, subtreeOf } from '../../base/json/tree.ts'
import { err, ok, type Result } from '../../base/result.ts'
import {
  findLinted,
  type LintedDocument,
  lintDocument,
  type StoredDocumentFailure,
} from '../../operations/release/check-document.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Store } from '../../store/store.ts'
import type { RequestFailure } from '../read-json.ts'
import type { DocumentBody } from './read-body.ts'

/** Which document a request is about: one that it carries, or a version that is kept here. */
export const documentMembers = {
  kind: z.enum(['policy', 'reference-values']),
  document: z.record(z.string(), z.unknown()).optional(),
  hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be the hash of a document')
    .optional(),
}

/** The document that a request names, looked through by lint. */
export async function readDocument(
  store: Pick<Store, 'document'>,
  read: DocumentBody<{
    readonly kind: DocumentKind
    readonly document?: unknown
    readonly hash?: string | undefined
  }>,
  now: Date,
): Promise<Result<LintedDocument, RequestFailure | StoredDocumentFailure>> {
  const { kind, document, hash } = read.body
  if ((document === undefined) === (hash === undefined)) {
    return err({ reason: 'request_malformed', detail: 'say either document or hash' })
  }
  return hash === undefined
    ? ok(lintCarried(read, kind, now))
    : findLinted(store, { kind, hash, now })
}

/** The document in a body as it was written: lines and columns count from where it begins. */
export function lintCarried(
  { tree }: DocumentBody<{ readonly document?: unknown }>,
  kind: DocumentKind,
  now: Date,
): LintedDocument {
  const member = memberOf(tree.root, 'document')
  if (member === undefined) throw new TypeError('a checked body carries a document')
  return lintDocument(kind, subtreeOf(tree, member.node), now)
}
