import { fromBase64, toBase64 } from '../base/encoding.ts'
import { SERVICE } from '../store/schema/system-schema.ts'
import type { SealedSecrets } from '../store/system/sealed-secrets.ts'
import { MasterSecretMismatchError } from './key-ring.ts'
import type { MasterSecrets } from './master-secret.ts'
import { derivePurposeKeys, type PurposeKeys, seal, unseal } from './sealing.ts'

const NAME = 'rollout ring'
const RING_SECRET_BYTES = 32

/**
 * The secret by which devices fall into rings: 32 bytes. It is made once and stored, so that a device
 * falls into the same ring under each master secret. One that the previous master secret sealed is
 * sealed anew.
 *
 * Throws `MasterSecretMismatchError` rather than replacing one that it cannot open.
 */
export async function loadRingSecret(input: {
  readonly store: SealedSecrets
  readonly secrets: MasterSecrets
  readonly now: Date
}): Promise<Uint8Array> {
  const { store, secrets, now } = input
  const keys = derivePurposeKeys(secrets, 'stored secrets')
  const sealed = (await store.sealedSecret(NAME)) ?? (await create(store, keys, now))
  for (const key of keys) {
    const secret = unseal({ key, sealed: fromBase64(sealed) ?? new Uint8Array(), context: NAME })
    if (secret === undefined) continue
    if (key !== keys[0]) {
      const anew = { name: NAME, from: sealed, to: sealWith(keys, secret) }
      await store.reseal({ signingKeys: [], secrets: [anew], by: SERVICE, now })
    }
    return secret
  }
  throw new MasterSecretMismatchError(
    'the secret of the rings was sealed with another master secret: start with the secret this database was first used with, or give the one before in SECRET_KEY_PREVIOUS',
  )
}

async function create(store: SealedSecrets, keys: PurposeKeys, now: Date): Promise<string> {
  const made = sealWith(keys, crypto.getRandomValues(new Uint8Array(RING_SECRET_BYTES)))
  await store.insertSealedSecretIfAbsent({ name: NAME, sealed: made, now })
  // Another process may have been faster: what is stored counts, not what we made.
  return (await store.sealedSecret(NAME)) ?? made
}

function sealWith(keys: PurposeKeys, plaintext: Uint8Array): string {
  return toBase64(seal({ key: keys[0], plaintext, context: NAME }))
}
