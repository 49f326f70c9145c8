import { parseReferenceValues } from '../appraisal/reference-values.ts'
import { BASELINE_POLICY } from '../policy/document/baseline.ts'
import { compilePolicy } from '../policy/document/compile.ts'
import { listSimulatorReferenceValues } from '../simulator/virtual-enclave.ts'
import type { Json } from '../store/json.ts'
import type { Store } from '../store/store.ts'

/**
 * On a first start a policy and reference values come into force. Where hardware is unproven anyway,
 * the simulator's enclave is among the reference values, so that the service can be tried out.
 */
export async function ensureDocuments(
  store: Store,
  isHardwareProven: boolean,
  now: Date,
): Promise<void> {
  const author = 'countersign'
  const reason = 'first start'
  const policy = compilePolicy(BASELINE_POLICY)
  const values = isHardwareProven ? { name: 'empty', enclaves: [] } : listSimulatorReferenceValues()
  const references = parseReferenceValues(values)
  if (!policy.ok || !references.ok) throw new TypeError('a built-in document does not compile')
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
