import { parseReferenceValues } from '../appraisal/reference-values.ts'
import { lintDocument } from '../operations/release/check-document.ts'
import { releaseFirst } from '../operations/release/release-first.ts'
import { BASELINE_POLICY } from '../policy/document/baseline.ts'
import { SERVICE } from '../store/schema/system-schema.ts'
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
  const documents = [
    lintDocument('policy', JSON.stringify(BASELINE_POLICY), now),
    lintDocument('reference-values', JSON.stringify(referenceValues), now),
  ]
  for (const document of documents) {
    await releaseFirst(store, { document, by: SERVICE, reason: 'first start', now })
  }
}

/** Whether the reference values in force vouch for hardware by themselves. */
export async function listsTrustAnchors(store: Store): Promise<boolean> {
  const active = await store.activeDocument('reference-values')
  const values = active && parseReferenceValues(active.body)
  return values?.ok === true && values.value.anchors.size > 0
}
