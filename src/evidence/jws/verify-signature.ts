import { constants, createPublicKey, KeyObject, verify } from 'node:crypto'
import { toBase64 } from '../../base/encoding.ts'
import { IS_NODE } from '../../base/runtime.ts'
import { encodeRsaSpki } from './rsa-spki.ts'

/** What a public key is good for, in the words of WebCrypto. RSA binds the hash to the key. */
export type KeyUse =
  | { readonly name: 'RSASSA-PKCS1-v1_5' | 'RSA-PSS'; readonly hash: string }
  | { readonly name: 'ECDSA'; readonly namedCurve: string }

/** A public key of one use, ready to verify. Whose key it is, is not known. */
export type VerificationKey = {
  readonly use: KeyUse
  readonly handle: KeyObject | CryptoKey
}

/** The schemes that evidence, tokens and certificates are signed with. */
export type SignatureScheme =
  | { readonly name: 'RSASSA-PKCS1-v1_5' }
  | { readonly name: 'RSA-PSS'; readonly saltLength: number }
  | { readonly name: 'ECDSA'; readonly hash: string }

export type SignedMessage = {
  readonly scheme: SignatureScheme
  readonly key: VerificationKey
  /** ECDSA: R and S, each as long as the curve's coordinates. */
  readonly signature: Uint8Array
  readonly message: Uint8Array
}

/**
 * Reads a key from the public members of a JWK. Rejects for what is no key, such as a point that is
 * not on its curve. On Node this is half the price of an import by WebCrypto.
 */
export async function importVerificationKey(
  jwk: Readonly<JsonWebKey>,
  use: KeyUse,
): Promise<VerificationKey> {
  if ((use.name === 'ECDSA') !== (jwk.kty === 'EC')) throw new TypeError('a key of another kind')
  if (use.name === 'ECDSA' && use.namedCurve !== jwk.crv) throw new TypeError('another curve')
  const handle = IS_NODE
    ? createKeyObject(jwk)
    : await crypto.subtle.importKey('jwk', { ...jwk }, use, false, ['verify'])
  return { use, handle }
}

/**
 * Node finds out what an argument is by calls that throw for anything but a key, and that costs as
 * much as a verification. So it gets PEM where it could have a JWK, and below it gets the key itself
 * with the options on it, where it could have an object around both.
 */
function createKeyObject(jwk: Readonly<JsonWebKey>): KeyObject {
  if (jwk.kty !== 'RSA') {
    const key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
    return Object.assign(key, { dsaEncoding: 'ieee-p1363' })
  }
  const der = toBase64(encodeRsaSpki(jwk))
  return createPublicKey(`-----BEGIN PUBLIC KEY-----\n${der}\n-----END PUBLIC KEY-----\n`)
}

/**
 * Whether `key` made `signature` over `message`. All signatures are verified here but those of
 * break-glass tokens, whose algorithm (Ed25519) is WebCrypto's alone.
 *
 * Node checks at once what WebCrypto hands to a pool of threads: a check takes some 25 µs, and the
 * way there and back twice that. Elsewhere WebCrypto does it.
 */
export function verifySignature(signed: SignedMessage): boolean | Promise<boolean> {
  const { scheme, key, signature, message } = signed
  const { use, handle } = key
  if (use.name !== scheme.name) throw new TypeError('the key is for another scheme')
  if (handle instanceof KeyObject) return verifyAtOnce(handle, signed)
  // WebCrypto's types want views that are surely not of shared memory.
  return crypto.subtle.verify(scheme, handle, new Uint8Array(signature), new Uint8Array(message))
}

function verifyAtOnce(object: KeyObject, signed: SignedMessage): boolean {
  const { scheme, key, signature, message } = signed
  if (scheme.name === 'ECDSA') return verify(scheme.hash, message, object, signature)
  if (key.use.name === 'ECDSA') throw new TypeError('the key is for another scheme')
  const { hash } = key.use
  if (scheme.name === 'RSA-PSS') {
    const padding = constants.RSA_PKCS1_PSS_PADDING
    Object.assign(object, { padding, saltLength: scheme.saltLength })
  }
  return verify(hash, message, object, signature)
}
