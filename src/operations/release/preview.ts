import type { Documents } from '../../access/assess.ts'
import {
  parseReferenceValues,
  type ReferenceValuesFailure,
  type ReferenceValuesOptions,
} from '../../appraisal/reference-values.ts'
import { ok, type Result } from '../../base/result.ts'
import { visitInSlices } from '../../base/slices.ts'
import { compilePolicy, type PolicyFailure } from '../../policy/document/compile.ts'
import { createPreview } from '../../replay/preview/preview.ts'
import { listUnreadClaims } from '../../replay/preview/read-claims.ts'
import type { PreviewSummary } from '../../replay/preview/summary.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import { readFleet } from '../../store/devices/fleet-reads.ts'
import type { Json } from '../../store/json.ts'
import type { Store } from '../../store/store.ts'
import { createRulesReader } from './rules-in-force.ts'

export type PreviewProgress = {
  readonly devices: number
  /** Devices on record, counted at most half a minute before the beginning. */
  readonly total: number
}

export type PreviewFailure = PolicyFailure | ReferenceValuesFailure

/**
 * Replays a document over the recorded claims of the whole fleet, against both documents in force,
 * and records what it found under the hash of the document; the document itself need not be stored.
 * Refuses one that does not compile. Rejects with the reason of `signal`, and then, as after any
 * fault, nothing is recorded.
 *
 * If another document comes into force meanwhile, the summary says what it was compared with.
 */
export async function previewDocument(input: {
  readonly store: Store
  readonly kind: DocumentKind
  /** As its author wrote it. */
  readonly candidate: unknown
  readonly by: string
  /** Whether the configuration says that hardware has to be proven. */
  readonly requiresHardware?: boolean | undefined
  readonly clock: () => Date
  /** Called after each batch. */
  readonly onProgress?: ((progress: PreviewProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
}): Promise<Result<PreviewSummary, PreviewFailure>> {
  const { store, kind, by, clock, onProgress, signal } = input
  signal?.throwIfAborted()
  const hashes = await store.inForce()
  const inForce = await createRulesReader(store, input).ofHashes(hashes)
  const compiled = withCandidate(inForce, input)
  if (!compiled.ok) return compiled
  const candidate = compiled.value

  const now = clock()
  const { devices: byVerdict } = await store.counts(now)
  const total = Object.values(byVerdict).reduce((sum, devices) => sum + devices, 0)
  const preview = createPreview({ inForce, candidate, now })
  const leaveOut = listUnreadClaims([inForce, candidate])
  let devices = 0
  for await (const batch of readFleet(store, { leaveOut, signal })) {
    await visitInSlices(batch, preview.add)
    devices += batch.length
    onProgress?.({ devices, total: Math.max(total, devices) })
  }
  const summary = preview.summary()
  signal?.throwIfAborted()
  await store.recordPreview({
    kind,
    hash: kind === 'policy' ? candidate.policy.hash : candidate.referenceValues.hash,
    policyHash: inForce.policy.hash,
    referenceValuesHash: inForce.referenceValues.hash,
    at: now,
    by,
    summary: summary as Json,
  })
  return ok(summary)
}

function withCandidate(
  inForce: Documents,
  input: ReferenceValuesOptions & { readonly kind: DocumentKind; readonly candidate: unknown },
): Result<Documents, PreviewFailure> {
  const { kind, candidate } = input
  if (kind === 'policy') {
    const policy = compilePolicy(candidate)
    return policy.ok ? ok({ ...inForce, policy: policy.value }) : policy
  }
  const referenceValues = parseReferenceValues(candidate, input)
  return referenceValues.ok
    ? ok({ ...inForce, referenceValues: referenceValues.value })
    : referenceValues
}
