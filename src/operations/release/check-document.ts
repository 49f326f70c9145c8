import {
  parseReferenceValues,
  type ReferenceValues,
  type ReferenceValuesFailure,
} from '../../appraisal/reference-values.ts'
import { err, ok, type Result } from '../../base/result.ts'
import {
  type CompiledPolicy,
  compilePolicy,
  type PolicyFailure,
} from '../../policy/document/compile.ts'
import type { LintFinding } from '../../policy/lint/finding.ts'
import { lintPolicy } from '../../policy/lint/lint.ts'
import type { LintSource } from '../../policy/lint/look-through.ts'
import { lintReferenceValues } from '../../policy/lint/reference-values.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Json } from '../../store/json.ts'
import type { StoredDocument } from '../../store/rules/documents.ts'
import type { Store } from '../../store/store.ts'
import { formatDocument } from './format-document.ts'

/** A document that could come into force, named by its hash, and ready to decide. */
export type CheckedDocument =
  | { readonly kind: 'policy'; readonly compiled: CompiledPolicy }
  | { readonly kind: 'reference-values'; readonly compiled: ReferenceValues }

declare const LINTED: unique symbol

/** What lint said of a document. Made by `lintDocument` alone: there is no other way to a release. */
export type LintedDocument = {
  readonly kind: DocumentKind
  readonly findings: readonly LintFinding[]
  /** Absent if it could not come into force whatever anybody accepts, as the findings say. */
  readonly checked: CheckedDocument | undefined
  readonly [LINTED]: true
}

export const DOCUMENT_REASONS = ['document_refused'] as const

/** The document has what lint calls an error, such as a clause that denies every device. */
export type DocumentFailure = {
  readonly reason: (typeof DOCUMENT_REASONS)[number]
  /** The errors, at least one. */
  readonly findings: readonly LintFinding[]
}

export const STORED_DOCUMENT_REASONS = ['document_not_found', 'document_not_usable'] as const

export type StoredDocumentFailure = {
  readonly reason: (typeof STORED_DOCUMENT_REASONS)[number]
}

/** Gate one: looks through a document as its author wrote it. Some findings depend on the time. */
export function lintDocument(kind: DocumentKind, source: LintSource, now: Date): LintedDocument {
  if (kind === 'policy') {
    const { findings, compiled } = lintPolicy(source, { now })
    return { kind, findings, checked: compiled && { kind, compiled } } as LintedDocument
  }
  const { findings, compiled } = lintReferenceValues(source, { now })
  return { kind, findings, checked: compiled && { kind, compiled } } as LintedDocument
}

/** The document of which lint finds no error, or the errors. Warnings are for a person to judge. */
export function withoutErrors({
  findings,
  checked,
}: LintedDocument): Result<CheckedDocument, DocumentFailure> {
  const errors = findings.filter(({ severity }) => severity === 'error')
  if (errors.length > 0) return err({ reason: 'document_refused', findings: errors })
  if (checked === undefined) throw new TypeError('a document without an error compiles')
  return ok(checked)
}

/** A document that could come into force, whatever else lint has against it, or the errors. */
export function demandCompiled(linted: LintedDocument): Result<CheckedDocument, DocumentFailure> {
  return linted.checked === undefined ? withoutErrors(linted) : ok(linted.checked)
}

/** A parsed document, checked without lint: for what is not on its way into force. */
export function checkDocument(
  kind: DocumentKind,
  body: unknown,
): Result<CheckedDocument, PolicyFailure | ReferenceValuesFailure> {
  if (kind === 'policy') {
    const compiled = compilePolicy(body)
    return compiled.ok ? ok({ kind, compiled: compiled.value }) : compiled
  }
  const compiled = parseReferenceValues(body)
  return compiled.ok ? ok({ kind, compiled: compiled.value }) : compiled
}

/** As the store takes it: a checked document is JSON. */
export function bodyOf({ compiled }: CheckedDocument): Json {
  return compiled.document as Json
}

/** Lint of a version that is kept here, in the text in which people are shown it. */
export function lintStored({ kind, body }: StoredDocument, now: Date): LintedDocument {
  return lintDocument(kind, formatDocument(kind, body), now)
}

/** The same of the version with this hash, if this version of the software can decide by it. */
export async function findLinted(
  store: Pick<Store, 'document'>,
  input: { readonly kind: DocumentKind; readonly hash: string; readonly now: Date },
): Promise<Result<LintedDocument, StoredDocumentFailure>> {
  const { kind, hash, now } = input
  const stored = await store.document(kind, hash)
  if (stored === null) return err({ reason: 'document_not_found' })
  const linted = lintStored(stored, now)
  return linted.checked?.compiled.hash === hash
    ? ok(linted)
    : err({ reason: 'document_not_usable' })
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
  return checked.ok && checked.value.compiled.hash === hash
    ? ok(checked.value)
    : err({ reason: 'document_not_usable' })
}
