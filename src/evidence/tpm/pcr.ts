import type { HashAlgorithm } from '../../base/digest.ts'

/**
 * The values of one PCR bank by PCR index. Unverified wherever it comes from a device, until a quote
 * that covers exactly these values has been verified.
 */
export type PcrBank = {
  readonly algorithm: HashAlgorithm
  readonly values: ReadonlyMap<number, Uint8Array>
}

/** One bank of a TPML_PCR_SELECTION; indexes ascend. May be empty: Windows sends such banks. */
export type PcrSelection = {
  readonly algorithm: HashAlgorithm
  readonly indexes: readonly number[]
}

/**
 * Keeps of `banks` what `selections` name, for evidence that lists every PCR beside a quote of some
 * (a platform statement, a PCR file). What is dropped was never attested and must not be used; what
 * is missing stays missing and is refused by `verifyQuote`.
 */
export function keepSelectedPcrs(
  banks: readonly PcrBank[],
  selections: readonly PcrSelection[],
): PcrBank[] {
  const wanted = new Map(selections.map(({ algorithm, indexes }) => [algorithm, new Set(indexes)]))
  return banks.flatMap(({ algorithm, values }) => {
    const kept = [...values].filter(([index]) => wanted.get(algorithm)?.has(index))
    return kept.length > 0 ? [{ algorithm, values: new Map(kept) }] : []
  })
}
