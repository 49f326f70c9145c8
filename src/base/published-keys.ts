import { digest } from './digest.ts'
import { toHex } from './encoding.ts'

/*
 * What the golden vectors of agents are made with, by its SHA-256. Everybody has these keys: whoever
 * relies on one of them relies on nobody. A test holds them against the vectors.
 */

/** Of the 32 bytes of SECRET_KEY. */
const SECRET = '2d554e804cd694852fdd1b1b6540ebbd7ecdd61e0d91bcbd326b37b1928a4dfc'

/** Of the DER of each SubjectPublicKeyInfo: who certifies TPMs there, and the keys of the service. */
const PUBLIC_KEYS: readonly string[] = [
  'be2877dc307cba782e08fd293b97fbec7bc445eda3ad13ac97c7bb1f355f70ae',
  'dd1ea79753386a64dd43e818ac9ea11cbd7fce0ee4f8932caec8040f035e3162',
  '3dceff702764c677194ce032ff726f72044ef29fd387d77cd5548e6eda67ebce',
  '877f5c7de755a10ac98e85dc82e7209f1437b0e3971a66637c6ae94c2be5e42e',
]

/** Of the DER of the root there, in base64url, as configurations may name a root. */
const ROOT = 'WjD0ynC_rifdlsXKve6g8vo9oDF_NQrXqZQcM2Kapj4'

/** What is wrong with a setting or a document that has one of them, for its author. */
export const PUBLISHED_KEY = 'is a key of the published test vectors, which everybody has'

/** Whether 32 bytes are the master secret of the vectors. */
export function isPublishedSecret(secret: Uint8Array): boolean {
  return toHex(digest('sha256', secret)) === SECRET
}

/** Whether a public key, the DER of its SubjectPublicKeyInfo, is one whose private key is in the vectors. */
export function isPublishedKey(spki: Uint8Array): boolean {
  return PUBLIC_KEYS.includes(toHex(digest('sha256', spki)))
}

/** Whether a fingerprint, as `fingerprintOf` says, is that of the root of the vectors. */
export function isPublishedRoot(fingerprint: string): boolean {
  return fingerprint === ROOT
}
