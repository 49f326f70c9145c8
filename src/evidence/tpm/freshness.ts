import { type Comparison, comparison } from '../../base/comparison.ts'
import { equalBytes } from '../../base/digest.ts'

/** The nonce an attestation must carry, or the explicit word that its freshness is not looked at. */
export type Freshness = { readonly qualifyingData: Uint8Array } | { readonly acceptAnyNonce: true }

/** Whether the `extraData` of an attestation is what the caller expects. Silence is not consent. */
export function isFresh(extraData: Uint8Array, expected: Freshness): boolean {
  if ('qualifyingData' in expected) return equalBytes(extraData, expected.qualifyingData)
  return expected.acceptAnyNonce === true
}

/** What a nonce was held against. */
export function compareNonce(extraData: Uint8Array, expected: Freshness): readonly Comparison[] {
  const wanted = 'qualifyingData' in expected ? expected.qualifyingData : 'any, where that is said'
  return [comparison('qualifying data (extraData)', wanted, extraData)]
}
