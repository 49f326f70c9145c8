import { type Comparison, comparison, showKey } from '../../base/comparison.ts'
import { DIGEST_BYTES, type HashAlgorithm } from '../../base/digest.ts'
import type { Result } from '../../base/result.ts'
import { type ByteReader, type ParseFailure, parse } from '../bytes.ts'
import { verifySignature } from '../jws/verify-signature.ts'
import { readHashAlgorithm, TPM_ALG } from './algorithms.ts'
import { importTpmKey, type TpmKey, webHash } from './key.ts'
import { MAX_ECC_PARAMETER_BYTES, MAX_RSA_BYTES, MAX_SIGNATURE_BYTES } from './limits.ts'

export type RsaTpmtSignature = {
  readonly scheme: 'rsassa' | 'rsapss'
  readonly hash: HashAlgorithm
  readonly bytes: Uint8Array
}

export type EcdsaTpmtSignature = {
  readonly scheme: 'ecdsa'
  readonly hash: HashAlgorithm
  /** Big-endian, possibly without leading zeros. */
  readonly r: Uint8Array
  readonly s: Uint8Array
}

/** TPMT_SIGNATURE, TPM 2.0 Part 2 §11.3.4. Unverified. */
export type TpmtSignature = RsaTpmtSignature | EcdsaTpmtSignature

/** Parses a TPMT_SIGNATURE of RSASSA, RSAPSS or ECDSA; every other scheme is `unexpected_value`. */
export function parseTpmtSignature(bytes: Uint8Array): Result<TpmtSignature, ParseFailure> {
  return parse('TPMT_SIGNATURE', bytes, MAX_SIGNATURE_BYTES, (reader) => {
    const scheme = readScheme(reader)
    const hash = readHashAlgorithm(reader, 'hash')
    if (scheme !== 'ecdsa') return { scheme, hash, bytes: reader.sized16be(MAX_RSA_BYTES, 'sig') }
    return {
      scheme,
      hash,
      r: reader.sized16be(MAX_ECC_PARAMETER_BYTES, 'signatureR'),
      s: reader.sized16be(MAX_ECC_PARAMETER_BYTES, 'signatureS'),
    }
  })
}

/** SHA-1 collisions are for sale; a signature over SHA-1 counts only where the caller says so. */
export type SignatureTolerance = {
  readonly acceptSha1Signature?: true
}

/** Whether the hash of a signature is one that may be relied on. */
export function acceptsSignatureHash(hash: HashAlgorithm, tolerance: SignatureTolerance): boolean {
  return hash !== 'sha1' || tolerance.acceptSha1Signature === true
}

/** What a signature that is not by `key` was held against. */
export function compareSigner(key: TpmKey, { scheme, hash }: TpmtSignature): readonly Comparison[] {
  const expected = `${scheme} with ${hash} by ${showKey(key.jwk)}`
  return [comparison('signature', expected, 'by another key, or over other bytes')]
}

/**
 * Whether `signature` over `message` was made by `key`. False for everything that is not so: a key
 * of another kind, an unusable or weak key, a SHA-1 signature that was not asked for. What the key
 * may sign (restricted or not) is not looked at.
 */
export async function verifyTpmtSignature(
  input: {
    key: JsonWebKey | TpmKey
    signature: TpmtSignature
    message: Uint8Array
  } & SignatureTolerance,
): Promise<boolean> {
  const { signature } = input
  if (!acceptsSignatureHash(signature.hash, input)) return false
  const key = await importTpmKey(input.key)
  if (!key.ok) return false
  const { message } = input
  if (signature.scheme === 'ecdsa') return verifyEcdsa(key.value, signature, message)
  if (key.value.kind !== 'rsa') return false
  return signature.scheme === 'rsassa'
    ? verifyRsassa(key.value, signature, message)
    : verifyRsapss(key.value, signature, message)
}

function readScheme(reader: ByteReader): TpmtSignature['scheme'] {
  switch (reader.u16be('sigAlg')) {
    case TPM_ALG.rsassa:
      return 'rsassa'
    case TPM_ALG.rsapss:
      return 'rsapss'
    case TPM_ALG.ecdsa:
      return 'ecdsa'
    default:
      return reader.fail(
        'unexpected_value',
        'sigAlg',
        '0x0014: RSASSA, 0x0016: RSAPSS or 0x0018: ECDSA',
      )
  }
}

async function verifyRsassa(
  key: TpmKey,
  signature: RsaTpmtSignature,
  message: Uint8Array,
): Promise<boolean> {
  const scheme = { name: 'RSASSA-PKCS1-v1_5' } as const
  const verificationKey = await key.verificationKey({ ...scheme, hash: webHash(signature.hash) })
  return verifySignature({ scheme, key: verificationKey, signature: signature.bytes, message })
}

/**
 * A TPM salts with as many bytes as the digest has (FIPS 186-4) or with as many as fit, by revision
 * and mode, and whoever verifies must be told which. TPM 2.0 Part 1 Annex B.7
 */
async function verifyRsapss(
  key: TpmKey,
  signature: RsaTpmtSignature,
  message: Uint8Array,
): Promise<boolean> {
  const verificationKey = await key.verificationKey({
    name: 'RSA-PSS',
    hash: webHash(signature.hash),
  })
  const digestBytes = DIGEST_BYTES[signature.hash]
  const longestSalt = Math.ceil((key.bits - 1) / 8) - digestBytes - 2
  for (const saltLength of [digestBytes, longestSalt]) {
    const scheme = { name: 'RSA-PSS', saltLength } as const
    const signed = { scheme, key: verificationKey, signature: signature.bytes, message }
    if (await verifySignature(signed)) return true
  }
  return false
}

async function verifyEcdsa(
  key: TpmKey,
  signature: EcdsaTpmtSignature,
  message: Uint8Array,
): Promise<boolean> {
  const width = key.bits / 8
  if (key.kind !== 'ecc' || signature.r.length > width || signature.s.length > width) return false
  const joined = new Uint8Array(2 * width)
  joined.set(signature.r, width - signature.r.length)
  joined.set(signature.s, 2 * width - signature.s.length)
  const verificationKey = await key.verificationKey({
    name: 'ECDSA',
    namedCurve: key.jwk.crv ?? '',
  })
  const scheme = { name: 'ECDSA', hash: webHash(signature.hash) } as const
  return verifySignature({ scheme, key: verificationKey, signature: joined, message })
}
