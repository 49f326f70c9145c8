import {
  importVerificationKey,
  type KeyUse,
  type SignatureScheme,
  type VerificationKey,
  verifySignature,
} from './verify-signature.ts'

/** The signatures that are accepted anywhere, by their names in JOSE. RFC 7518 §3.1 */
export type JwsAlgorithm = 'RS256' | 'PS256' | 'ES256'

type Scheme = {
  /** What a key for it is imported as. */
  readonly key: KeyUse
  readonly verification: SignatureScheme
}

const RSASSA = 'RSASSA-PKCS1-v1_5'
const SHA256 = 'SHA-256'

const SCHEMES: Readonly<Record<JwsAlgorithm, Scheme>> = {
  RS256: { key: { name: RSASSA, hash: SHA256 }, verification: { name: RSASSA } },
  // RFC 7518 §3.5: a salt as long as the hash.
  PS256: {
    key: { name: 'RSA-PSS', hash: SHA256 },
    verification: { name: 'RSA-PSS', saltLength: 32 },
  },
  // RFC 7518 §3.4: R and S of 32 octets each, which is what WebCrypto takes.
  ES256: {
    key: { name: 'ECDSA', namedCurve: 'P-256' },
    verification: { name: 'ECDSA', hash: SHA256 },
  },
}

/** Rejects for what is no key, such as a point that is not on its curve. */
export function importJwsKey(jwk: JsonWebKey, algorithm: JwsAlgorithm): Promise<VerificationKey> {
  return importVerificationKey(jwk, SCHEMES[algorithm].key)
}

/**
 * Whether `key` made the signature of a compact JWS (RFC 7515 §5.2). The caller has taken `compact`
 * apart with strict decoders, has chosen key and algorithm by rules of its own, and has refused
 * critical headers: nothing of the header is looked at here.
 */
export function verifyJwsSignature(input: {
  readonly compact: string
  /** Its third part, decoded. */
  readonly signature: Uint8Array
  /** Imported for this algorithm: a key for another one throws. */
  readonly key: VerificationKey
  readonly algorithm: JwsAlgorithm
}): boolean | Promise<boolean> {
  const { compact, signature, key, algorithm } = input
  // The parts are base64url, so that one byte a character is their UTF-8.
  const signed = Buffer.from(compact.slice(0, compact.lastIndexOf('.')), 'latin1')
  return verifySignature({
    scheme: SCHEMES[algorithm].verification,
    key,
    signature,
    message: signed,
  })
}
