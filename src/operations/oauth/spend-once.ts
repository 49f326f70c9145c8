import { digestText } from '../../base/digest.ts'
import { toBase64Url } from '../../base/encoding.ts'
import type { Store } from '../../store/store.ts'

export type ProofSpending = { readonly store: Pick<Store, 'spendProof'> }

/**
 * Uses up what counts once: of any number of uses, in any processes, one answers `true`. `names` say what it
 * is, who made it and which one it is, so that nobody uses up what is somebody else's.
 */
export function spendOnce(
  { store }: ProofSpending,
  { names, expiresAt }: { readonly names: readonly string[]; readonly expiresAt: Date },
): Promise<boolean> {
  const proofId = toBase64Url(digestText('sha256', JSON.stringify(names)))
  return store.spendProof({ proofId, expiresAt })
}
