import { createCipheriv, createHmac } from 'node:crypto'
import { DIGEST_BYTES } from '../../base/digest.ts'
import { fromBase64Url, toUtf8 } from '../../base/encoding.ts'
import type { EndorsementKey } from './endorsement-key.ts'
import { kdfa, kdfe } from './key-derivation.ts'
import { encryptOaep } from './rsa-oaep.ts'

/** What TPM2_ActivateCredential takes. TPM 2.0 Part 3 §12.5 */
export type Credential = {
  /** TPM2B_ID_OBJECT */
  readonly credentialBlob: Uint8Array
  /** TPM2B_ENCRYPTED_SECRET */
  readonly encryptedSecret: Uint8Array
}

/** Fresh randomness, of the kind that the endorsement key asks for. */
export type CredentialRandomness =
  | {
      readonly kind: 'rsa'
      /** Both of the size of the key's name algorithm: what is wrapped, and the OAEP seed. */
      readonly seed: Uint8Array
      readonly oaepSeed: Uint8Array
    }
  /** A new ECDH key pair on the curve of the key. */
  | { readonly kind: 'ecc'; readonly ephemeral: CryptoKeyPair }

const LABEL = 'IDENTITY'
const AES_BLOCK_BYTES = 16
const NOTHING = new Uint8Array()

/**
 * TPM2_MakeCredential in software (TPM 2.0 Part 1 §24): seals `secret` so that only the TPM that holds
 * `key` opens it, and only while an object of the name `name` is loaded there. Says nothing of who
 * answers with the secret until somebody does.
 */
export async function makeCredential(input: {
  readonly key: EndorsementKey
  /** The Name of the object, which its public area determines: nameAlg ‖ digest. */
  readonly name: Uint8Array
  /** At most as long as a digest of the key's name algorithm. */
  readonly secret: Uint8Array
  readonly randomness: CredentialRandomness
}): Promise<Credential> {
  const { key, name, secret, randomness } = input
  if (secret.length > DIGEST_BYTES[key.nameAlgorithm]) throw new TypeError('the secret is too long')
  const { seed, encryptedSecret } = await wrapSeed(key, randomness)
  return {
    credentialBlob: sized(protectIdentity({ key, seed, name, secret })),
    encryptedSecret: sized(encryptedSecret),
  }
}

/** The seed, and the TPM2B_ENCRYPTED_SECRET without its size that brings it to the TPM. */
async function wrapSeed(
  key: EndorsementKey,
  randomness: CredentialRandomness,
): Promise<{ readonly seed: Uint8Array; readonly encryptedSecret: Uint8Array }> {
  const { nameAlgorithm: hash, jwk } = key
  if ((randomness.kind === 'rsa') !== (jwk.kty === 'RSA')) {
    throw new TypeError('this randomness is for keys of another kind')
  }
  if (randomness.kind === 'ecc') return shareSeed(key, randomness.ephemeral)
  const { seed, oaepSeed } = randomness
  if (seed.length !== DIGEST_BYTES[hash]) throw new TypeError('the seed has the size of the hash')
  // TPM 2.0 Part 1 §B.10.4: the label's last octet, a zero, goes into the hash.
  const label = toUtf8(`${LABEL}\0`)
  return {
    seed,
    encryptedSecret: encryptOaep({ key: jwk, hash, label, message: seed, seed: oaepSeed }),
  }
}

/** TPM 2.0 Part 1 §C.6.4: one-pass ECDH; a TPMS_ECC_POINT goes to the TPM. */
async function shareSeed(
  { nameAlgorithm: hash, jwk }: EndorsementKey,
  ephemeral: CryptoKeyPair,
): Promise<{ readonly seed: Uint8Array; readonly encryptedSecret: Uint8Array }> {
  const namedCurve = jwk.crv ?? ''
  const algorithm = { name: 'ECDH', namedCurve }
  const theirs = await crypto.subtle.importKey('jwk', { ...jwk }, algorithm, true, [])
  const ours = await crypto.subtle.exportKey('jwk', ephemeral.publicKey)
  if (ours.crv !== namedCurve) throw new TypeError('the ephemeral key is on another curve')
  const x = coordinate(ours.x)
  const parameters = { name: 'ECDH', public: theirs }
  const z = await crypto.subtle.deriveBits(parameters, ephemeral.privateKey, x.length * 8)
  const seed = kdfe({
    hash,
    z: new Uint8Array(z),
    label: LABEL,
    partyU: x,
    partyV: coordinate(jwk.x),
    bits: DIGEST_BYTES[hash] * 8,
  })
  return { seed, encryptedSecret: Buffer.concat([sized(x), sized(coordinate(ours.y))]) }
}

/** TPMS_ID_OBJECT: the integrity HMAC over the encrypted secret and the name, then that secret. */
function protectIdentity(input: {
  readonly key: EndorsementKey
  readonly seed: Uint8Array
  readonly name: Uint8Array
  readonly secret: Uint8Array
}): Uint8Array {
  const { key, seed, name, secret } = input
  const { nameAlgorithm: hash, symmetricBits } = key
  const derived = { hash, key: seed, contextV: NOTHING }
  const storage = kdfa({ ...derived, label: 'STORAGE', contextU: name, bits: symmetricBits })
  const encIdentity = encryptCfb(storage, sized(secret))
  const bits = DIGEST_BYTES[hash] * 8
  const integrity = kdfa({ ...derived, label: 'INTEGRITY', contextU: NOTHING, bits })
  const outer = createHmac(hash, integrity).update(encIdentity).update(name).digest()
  return Buffer.concat([sized(outer), encIdentity])
}

/**
 * AES in CFB mode with an IV of zeros (SP 800-38A §6.3). Made of counter mode, of which the first
 * block of key stream is the encrypted IV, because not every runtime has CFB.
 */
function encryptCfb(key: Uint8Array, plain: Uint8Array): Uint8Array {
  const out = new Uint8Array(plain.length)
  let feedback: Uint8Array = new Uint8Array(AES_BLOCK_BYTES)
  for (let at = 0; at < plain.length; at += AES_BLOCK_BYTES) {
    const block = plain.subarray(at, at + AES_BLOCK_BYTES)
    const cipher = createCipheriv(key.length === 16 ? 'aes-128-ctr' : 'aes-256-ctr', key, feedback)
    const encrypted = cipher.update(block)
    out.set(encrypted, at)
    feedback = encrypted
  }
  return out
}

function coordinate(text: string | undefined): Uint8Array {
  return fromBase64Url(text ?? '') ?? NOTHING
}

function sized(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes])
}
