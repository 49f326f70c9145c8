import { parseReferenceValues } from '../../../src/appraisal/reference-values.ts'
import type { DocumentHash } from '../../../src/base/document-hash.ts'
import {
  type LintedDocument,
  lintDocument,
} from '../../../src/operations/release/check-document.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import { TEXTS } from '../../policy/healthy-device.ts'
import { expectOk } from '../../support/refusal.ts'

export type Document = {
  readonly kind: 'policy' | 'reference-values'
  readonly hash: DocumentHash
  readonly body: object
}

export function bodyOf(kind: Document['kind'], json: object): Document {
  const { hash, document } =
    kind === 'policy' ? expectOk(compilePolicy(json)) : expectOk(parseReferenceValues(json))
  return { kind, hash, body: document }
}

/** The baseline and one clause more. */
export function policyWith(require: string, change: object = {}): Document {
  const clause = { id: 'added', require, severity: 'enforce', texts: TEXTS, ...change }
  return bodyOf('policy', { ...BASELINE_POLICY, clauses: [...BASELINE_POLICY.clauses, clause] })
}

/** The document as a release takes it. */
export function lintedOf({ kind, body }: Document, now: Date): LintedDocument {
  return lintDocument(kind, JSON.stringify(body), now)
}

/** Errors that gate one would tell. */
export function lintErrors(document: Document, now: Date): readonly string[] {
  const { findings } = lintedOf(document, now)
  return findings.filter(({ severity }) => severity === 'error').map(({ code }) => code)
}
