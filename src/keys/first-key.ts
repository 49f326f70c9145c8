import { SERVICE, type SigningKeyUse } from '../store/schema/system-schema.ts'
import type { StoredSigningKey, StoredSigningKeys } from '../store/system/stored-signing-keys.ts'
import type { PurposeKeys } from './sealing.ts'
import { createSigningKey } from './signing-key-material.ts'

export type FirstKeyInput = {
  readonly store: Pick<StoredSigningKeys, 'publishSigningKey'>
  readonly sealingKeys: PurposeKeys
  /** URL of our issuer: the name on the certificates. */
  readonly issuer: string
}

/**
 * Makes a key of a use that has none which counts; it signs at once. Of any number of processes that do so
 * one is faster: what is stored counts then, and not what the others made.
 */
export async function makeFirstKey(
  { store, sealingKeys, issuer }: FirstKeyInput,
  {
    use,
    stored,
    now,
  }: {
    readonly use: SigningKeyUse
    readonly stored: readonly StoredSigningKey[]
    readonly now: Date
  },
): Promise<void> {
  const generations = stored.filter((key) => key.use === use).map((key) => key.generation)
  await store.publishSigningKey({
    key: await createSigningKey({ use, issuer, sealingKeys, signsFrom: now, now }),
    generation: 1 + Math.max(0, ...generations),
    previousAcceptedUntil: now,
    by: SERVICE,
    now,
  })
}
