import { parseReferenceValues } from '../appraisal/reference-values.ts'
import { BASELINE_POLICY } from '../policy/document/baseline.ts'
import { compilePolicy } from '../policy/document/compile.ts'
import type { Json } from '../store/json.ts'
import type { Store } from '../store/store.ts'

/** Where nobody said otherwise: no enclave is a good one until an administrator lists it. */
const NO_REFERENCE_VALUES = { name: 'empty', enclaves: [] }

/**
 * On a first start a policy and reference values come into force; later this changes nothing.
 * `referenceValues` are the first ones of whoever starts it, as the demo has its own enclaves.
 */
export async function ensureDocuments(
  store: Store,
  now: Date,
  referenceValues: object = NO_REFERENCE_VALUES,
): Promise<void> {
  const author = 'countersign'
  const reason = 'first start'
  const policy = compilePolicy(BASELINE_POLICY)
  const references = parseReferenceValues(referenceValues)
  if (!policy.ok || !references.ok) throw new TypeError('a first document does not compile')
  const documents = [
    { kind: 'policy', hash: policy.value.hash, body: policy.value.document },
    { kind: 'reference-values', hash: references.value.hash, body: references.value.document },
  ] as const
  for (const { kind, hash, body } of documents) {
    await store.ensureActiveDocument({ kind, hash, body: body as Json, author, reason, now })
  }
}

/** Whether the reference values in force vouch for hardware by themselves. */
export async function listsTrustAnchors(store: Store): Promise<boolean> {
  const active = await store.activeDocument('reference-values')
  const values = active && parseReferenceValues(active.body)
  return values?.ok === true && values.value.anchors.size > 0
}
