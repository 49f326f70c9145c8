import { fromBase64, toBase64 } from '../base/encoding.ts'
import { SERVICE } from '../store/schema/system-schema.ts'
import type { SealedSecrets } from '../store/system/sealed-secrets.ts'
import { MasterSecretMismatchError } from './key-ring.ts'
import type { MasterSecrets } from './master-secret.ts'
import { derivePurposeKeys, type PurposeKeys, seal, unseal } from './sealing.ts'

/** What devices fall into rings by, and what their places in the list of statuses are shuffled by. */
export type StoredSecretName = 'rollout ring' | 'status list'

const SECRET_BYTES = 32

/**
 * A secret of 32 bytes that is made once and stored, so that it is the same under each master secret.
 * One that the previous master secret sealed is sealed anew.
 *
 * Throws `MasterSecretMismatchError` rather than replacing one that it cannot open.
 */
export async function loadStoredSecret(
  name: StoredSecretName,
  input: {
    readonly store: SealedSecrets
    readonly secrets: MasterSecrets
    readonly now: Date
  },
): Promise<Uint8Array> {
  const { store, secrets, now } = input
  const keys = derivePurposeKeys(secrets, 'stored secrets')
  const sealed = (await store.sealedSecret(name)) ?? (await create(name, { store, keys, now }))
  for (const key of keys) {
    const secret = unseal({ key, sealed: fromBase64(sealed) ?? new Uint8Array(), context: name })
    if (secret === undefined) continue
    if (key !== keys[0]) {
      const anew = { name, from: sealed, to: sealWith(keys, secret, name) }
      await store.reseal({ signingKeys: [], secrets: [anew], by: SERVICE, now })
    }
    return secret
  }
  throw new MasterSecretMismatchError(
    `the stored secret "${name}" was sealed with another master secret: start with the secret this database was first used with, or give the one before in SECRET_KEY_PREVIOUS`,
  )
}

async function create(
  name: StoredSecretName,
  input: { readonly store: SealedSecrets; readonly keys: PurposeKeys; readonly now: Date },
): Promise<string> {
  const { store, keys, now } = input
  const made = sealWith(keys, crypto.getRandomValues(new Uint8Array(SECRET_BYTES)), name)
  await store.insertSealedSecretIfAbsent({ name, sealed: made, now })
  // Another process may have been faster: what is stored counts, not what we made.
  return (await store.sealedSecret(name)) ?? made
}

function sealWith(keys: PurposeKeys, plaintext: Uint8Array, context: StoredSecretName): string {
  return toBase64(seal({ key: keys[0], plaintext, context }))
}
