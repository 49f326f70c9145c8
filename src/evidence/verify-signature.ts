import { constants, KeyObject, verify } from 'node:crypto'
import { IS_NODE } from '../runtime.ts'

/** The schemes of WebCrypto that evidence, tokens and certificates are signed with. */
export type SignatureScheme =
  | { readonly name: 'RSASSA-PKCS1-v1_5' }
  | { readonly name: 'RSA-PSS'; readonly saltLength: number }
  | { readonly name: 'ECDSA'; readonly hash: string }

export type SignedMessage = {
  readonly scheme: SignatureScheme
  /** Imported extractable and for this scheme; for RSA it carries the hash. */
  readonly key: CryptoKey
  /** ECDSA: R and S, each as long as the curve's coordinates. */
  readonly signature: Uint8Array
  readonly message: Uint8Array
}

/**
 * Whether `key` made `signature` over `message`. The one place where signatures are verified.
 *
 * Node checks at once what WebCrypto hands to a pool of threads: a check takes some 25 µs, and the
 * way there and back twice that. Elsewhere WebCrypto does it.
 */
export const verifySignature: (signed: SignedMessage) => boolean | Promise<boolean> = IS_NODE
  ? verifyAtOnce
  : verifyByWebCrypto

function verifyAtOnce({ scheme, key, signature, message }: SignedMessage): boolean {
  if (key.algorithm.name !== scheme.name) throw new TypeError('the key is for another scheme')
  const object = KeyObject.from(key)
  switch (scheme.name) {
    case 'RSASSA-PKCS1-v1_5':
      return verify(hashOf(key), message, object, signature)
    case 'RSA-PSS': {
      const padding = constants.RSA_PKCS1_PSS_PADDING
      const { saltLength } = scheme
      return verify(hashOf(key), message, { key: object, padding, saltLength }, signature)
    }
    case 'ECDSA':
      return verify(scheme.hash, message, { key: object, dsaEncoding: 'ieee-p1363' }, signature)
  }
}

/** WebCrypto binds the hash of RSA to the key. */
function hashOf({ algorithm }: CryptoKey): string {
  if (!('hash' in algorithm)) throw new TypeError('the key has no hash')
  return (algorithm as RsaHashedKeyAlgorithm).hash.name
}

/** WebCrypto's types want views that are surely not of shared memory. */
function verifyByWebCrypto({ scheme, key, signature, message }: SignedMessage): Promise<boolean> {
  return crypto.subtle.verify(scheme, key, new Uint8Array(signature), new Uint8Array(message))
}
