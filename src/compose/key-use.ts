import { importJWK } from 'jose'
import { makeFirstKey } from '../keys/first-key.ts'
import { type KeyRing, signingSealingKeys } from '../keys/key-ring.ts'
import type { MasterSecrets } from '../keys/master-secret.ts'
import type { SigningKey, SigningKeys } from '../keys/signing-keys.ts'
import type { SigningKeyUse } from '../store/schema/system-schema.ts'
import type { StoredSigningKeys } from '../store/system/stored-signing-keys.ts'

/** What everything that is made with our own keys is made with. */
export type Shared = {
  readonly issuer: string
  readonly clock: () => Date
  readonly random: (length: number) => Uint8Array
}

/** What may have to be read first. */
export type Maybe<T> = T | undefined | Promise<T | undefined>

/** Of what we sign with ES256. */
export async function importPublicKey({ publicJwk }: SigningKey): Promise<CryptoKey> {
  const key = await importJWK(publicJwk, 'ES256')
  if (!(key instanceof CryptoKey)) throw new TypeError('one of our keys is no public key')
  return key
}

/** Signs with the private half of a key, under its name. */
export function signerOf({ kid, privateKey }: SigningKey) {
  return { kid, sign: privateKey.sign }
}

/** Keeps what was made of a key for as long as the key is kept. Only what is finished is kept. */
export function onceEach<T>(
  make: (key: SigningKey) => Promise<T>,
): (key: SigningKey) => T | Promise<T> {
  const kept = new WeakMap<SigningKey, { readonly made: T }>()
  return (key) => {
    const known = kept.get(key)
    if (known !== undefined) return known.made
    return make(key).then((made) => {
      kept.set(key, { made })
      return made
    })
  }
}

/** Finds one of our public keys by its name; answers without a promise where it is at hand and imported. */
export function verifyingKeys(
  keyOf: (kid: string) => Maybe<SigningKey>,
  imported: (key: SigningKey) => CryptoKey | Promise<CryptoKey>,
): (kid: string) => Maybe<CryptoKey> {
  return (kid) => {
    const key = keyOf(kid)
    if (key instanceof Promise) return key.then((found) => found && imported(found))
    return key && imported(key)
  }
}

/** What the first key of a use is made with. */
export type FirstKeyMaking = { readonly store: StoredSigningKeys; readonly secrets: MasterSecrets }

/** Makes the first key of a use, if there is none yet. */
export async function makeKeyOnce(
  keyRing: KeyRing,
  { store, secrets, issuer, clock }: Shared & FirstKeyMaking,
  use: SigningKeyUse,
): Promise<void> {
  if ((await keyRing.reread()).rows(use).length > 0) return
  const sealingKeys = signingSealingKeys(secrets)
  await makeFirstKey({ store, issuer, sealingKeys }, { use, stored: [], now: clock() })
  await keyRing.reread()
}

/** The keys as they are now, of which at least one is of this use: the first is made if there is none. */
export async function keysWithFirst(
  keyRing: KeyRing,
  input: Shared & FirstKeyMaking,
  use: SigningKeyUse,
): Promise<SigningKeys> {
  if ((await keyRing.current()).rows(use).length === 0) await makeKeyOnce(keyRing, input, use)
  return keyRing.current()
}
