import type { Rules } from './access/assess.ts'
import { parseReferenceValues, type ReferenceValues } from './appraisal/reference-values.ts'
import { type CompiledPolicy, compilePolicy } from './policy/compile.ts'
import type { Store } from './store/store.ts'
import type { ActiveHashes } from './store/trust-records.ts'

/**
 * The documents in force, compiled once and kept by hash. A decision reads the active hashes with
 * the trust record, in the same statement, so a change is effective with the next request and
 * costs one more read only for the first one.
 */
export type RulesInForce = {
  readonly ofHashes: (hashes: ActiveHashes) => Rules | Promise<Rules>
  /** For a caller that has read no record yet. May be older than the last activation by `maxAgeMs`. */
  readonly recent: () => Promise<Rules>
}

/** Documents change rarely; the previous ones are kept for requests that are under way. */
const KEPT = 8
const MAX_AGE_MS = 1000

export function createRulesInForce(store: Store, clock: () => Date): RulesInForce {
  const policies = new Map<string, CompiledPolicy>()
  const references = new Map<string, ReferenceValues>()
  let latest: { rules: Rules; at: number } | undefined

  const ofHashes = ({ policyHash, referenceValuesHash }: ActiveHashes) => {
    if (policyHash === null || referenceValuesHash === null) {
      throw new Error('no policy or no reference values are active')
    }
    const policy = policies.get(policyHash)
    const referenceValues = references.get(referenceValuesHash)
    if (policy !== undefined && referenceValues !== undefined) return { policy, referenceValues }
    return load(policyHash, referenceValuesHash)
  }

  const load = async (policyHash: string, referenceValuesHash: string) => {
    const [policy, referenceValues] = await Promise.all([
      loadDocument(store, 'policy', policyHash, compilePolicy),
      loadDocument(store, 'reference-values', referenceValuesHash, parseReferenceValues),
    ])
    keep(policies, policyHash, policy)
    keep(references, referenceValuesHash, referenceValues)
    return { policy, referenceValues }
  }

  return {
    ofHashes,
    async recent() {
      const now = clock().getTime()
      if (latest !== undefined && Math.abs(now - latest.at) < MAX_AGE_MS) return latest.rules
      const rules = await ofHashes(await store.trustRecord(''))
      latest = { rules, at: now }
      return rules
    },
  }
}

/** A stored document was checked before it was stored: one that does not compile is a fault. */
async function loadDocument<T>(
  store: Store,
  kind: 'policy' | 'reference-values',
  hash: string,
  compile: (body: unknown) => { ok: true; value: T } | { ok: false; failure: { reason: string } },
): Promise<T> {
  const stored = await store.document(kind, hash)
  const compiled = stored && compile(stored.body)
  if (compiled?.ok) return compiled.value
  throw new Error(`the active ${kind} document ${hash} is missing or does not compile`)
}

function keep<T>(map: Map<string, T>, hash: string, value: T): void {
  map.set(hash, value)
  for (const oldest of map.keys()) {
    if (map.size <= KEPT) return
    map.delete(oldest)
  }
}
