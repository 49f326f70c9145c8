import {
  parseReferenceValues,
  type ReferenceValuesDocument,
  type ReferenceValuesFailure,
} from '../../appraisal/reference-values.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { compilePolicy, type PolicyFailure } from '../../policy/document/compile.ts'
import type { PolicyDocument } from '../../policy/document/document.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Json } from '../../store/json.ts'
import type { Store } from '../../store/store.ts'

/** A document that could come into force, named by its hash. */
export type CheckedDocument = {
  readonly hash: string
  readonly document: PolicyDocument | ReferenceValuesDocument
}

export const STORED_DOCUMENT_REASONS = ['document_not_found', 'document_not_usable'] as const

export type StoredDocumentFailure = {
  readonly reason: (typeof STORED_DOCUMENT_REASONS)[number]
}

export function checkDocument(
  kind: DocumentKind,
  body: unknown,
): Result<CheckedDocument, PolicyFailure | ReferenceValuesFailure> {
  return kind === 'policy' ? compilePolicy(body) : parseReferenceValues(body)
}

/** As the store takes it: a checked document is JSON. */
export function bodyOf({ document }: CheckedDocument): Json {
  return document as Json
}

/**
 * A version that is kept here, if this version of the software can decide by it: what another one
 * stored must not come into force for anybody if every decision by it would be a fault.
 */
export async function findUsable(
  store: Pick<Store, 'document'>,
  kind: DocumentKind,
  hash: string,
): Promise<Result<CheckedDocument, StoredDocumentFailure>> {
  const stored = await store.document(kind, hash)
  if (stored === null) return err({ reason: 'document_not_found' })
  const checked = checkDocument(kind, stored.body)
  return checked.ok && checked.value.hash === hash
    ? ok(checked.value)
    : err({ reason: 'document_not_usable' })
}
