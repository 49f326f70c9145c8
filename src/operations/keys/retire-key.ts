import { err, ok, type Result } from '../../base/result.ts'
import { signerAt } from '../../keys/key-times.ts'
import { createSigningKey } from '../../keys/signing-key-material.ts'
import type { SigningKeyUse } from '../../store/schema/system-schema.ts'
import type { StoredSigningKeys } from '../../store/system/stored-signing-keys.ts'
import { type KeyMaking, keysOf } from './rotate-key.ts'

export const RETIRE_REASONS = ['signing_key_unknown', 'signing_key_retired'] as const

export type RetireFailure = { readonly reason: (typeof RETIRE_REASONS)[number] }

export type RetireDependencies = KeyMaking & {
  readonly store: Pick<StoredSigningKeys, 'listSigningKeys' | 'retireSigningKey'>
  readonly clock: () => Date
}

export type Retirement = {
  readonly use: SigningKeyUse
  readonly kid: string
  /** The key that signs from now on. */
  readonly signingKid: string
}

/**
 * Ends a key at once, because somebody else may have it. Nothing that it signed is accepted by a
 * process that has read the keys again. If it was the one that signs, one that was announced begins
 * early, and if there is none, a new one: in the same statement, so that there is always one.
 */
export async function retireKey(
  dependencies: RetireDependencies,
  change: { readonly kid: string; readonly by: string; readonly reason: string },
): Promise<Result<Retirement, RetireFailure>> {
  const { store, clock } = dependencies
  const { kid, by, reason } = change
  const now = clock()
  const key = (await store.listSigningKeys()).find((one) => one.kid === kid)
  if (key === undefined) return err({ reason: 'signing_key_unknown' })
  const { use } = key
  const replacement = await createSigningKey({ ...dependencies, use, signsFrom: now, now })
  const answer = await store.retireSigningKey({ kid, replacement, by, reason, now })
  if (answer === 'key_unknown') return err({ reason: 'signing_key_unknown' })
  if (answer === 'unchanged') return err({ reason: 'signing_key_retired' })
  const signer = signerAt(await keysOf(store, use), now)
  if (signer === undefined) throw new Error(`nothing signs for ${use}`)
  return ok({ use, kid, signingKid: signer.kid })
}
