import {
  importVerificationKey,
  type KeyUse,
  type VerificationKey,
  verifySignature,
} from '../jws/verify-signature.ts'
import type { Certificate } from './certificate.ts'
import {
  DER,
  DerFields,
  type DerNode,
  decodeDer,
  MalformedDer,
  readOid,
  readUnsigned,
} from './der.ts'
import { COORDINATE_BYTES, type EcCurve, type SubjectPublicKey } from './public-key.ts'

type Hash = 'SHA-256' | 'SHA-384' | 'SHA-512'

type CertificateScheme =
  | { readonly name: 'RSASSA-PKCS1-v1_5'; readonly hash: Hash }
  | { readonly name: 'RSA-PSS'; readonly hash: Hash; readonly saltLength: number }
  | { readonly name: 'ECDSA'; readonly hash: Hash }

/** RFC 4055 §5, RFC 5758 §3.2. SHA-1 and MD5 are absent on purpose. */
const SCHEMES: ReadonlyMap<string, CertificateScheme> = new Map([
  ['1.2.840.113549.1.1.11', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }],
  ['1.2.840.113549.1.1.12', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-384' }],
  ['1.2.840.113549.1.1.13', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-512' }],
  ['1.2.840.10045.4.3.2', { name: 'ECDSA', hash: 'SHA-256' }],
  ['1.2.840.10045.4.3.3', { name: 'ECDSA', hash: 'SHA-384' }],
  ['1.2.840.10045.4.3.4', { name: 'ECDSA', hash: 'SHA-512' }],
])
const RSA_PSS = '1.2.840.113549.1.1.10'
const MGF1 = '1.2.840.113549.1.1.8'
const HASHES: ReadonlyMap<string, Hash> = new Map([
  ['2.16.840.1.101.3.4.2.1', 'SHA-256'],
  ['2.16.840.1.101.3.4.2.2', 'SHA-384'],
  ['2.16.840.1.101.3.4.2.3', 'SHA-512'],
])

/** `refused` is an algorithm that is never accepted, or a key that does not fit it. */
export type SignatureCheck = 'valid' | 'invalid' | 'refused'

/** Checks the signature on `certificate` under its supposed issuer's key. RFC 5280 §6.1.3 (a)(1) */
export async function checkCertificateSignature(
  certificate: Certificate,
  issuerKey: SubjectPublicKey,
): Promise<SignatureCheck> {
  const scheme = readScheme(certificate.signatureAlgorithm)
  if (scheme === undefined) return 'refused'
  if ((scheme.name === 'ECDSA') !== (issuerKey.kty === 'EC')) return 'refused'
  const signature =
    issuerKey.kty === 'EC'
      ? toRawSignature(certificate.signature, issuerKey.crv)
      : certificate.signature
  if (signature === undefined) return 'invalid'
  const key = await importKey(issuerKey, scheme)
  if (key === undefined) return 'refused'
  const valid = await verifySignature({ scheme, key, signature, message: certificate.tbs })
  return valid ? 'valid' : 'invalid'
}

async function importKey(
  key: SubjectPublicKey,
  scheme: CertificateScheme,
): Promise<VerificationKey | undefined> {
  const use: KeyUse =
    scheme.name === 'ECDSA'
      ? { name: scheme.name, namedCurve: key.kty === 'EC' ? key.crv : '' }
      : { name: scheme.name, hash: scheme.hash }
  try {
    return await importVerificationKey(key, use)
  } catch {
    // A point that is not on its curve, or a modulus the runtime does not take.
    return undefined
  }
}

function readScheme(algorithm: Uint8Array): CertificateScheme | undefined {
  try {
    const fields = new DerFields(decodeDer(algorithm, 'signatureAlgorithm'), 'signatureAlgorithm')
    const oid = readOid(fields.next(DER.objectIdentifier, 'algorithm'), 'algorithm')
    if (oid === RSA_PSS) return readPssScheme(fields.next(DER.sequence, 'parameters'))
    fields.optional(DER.null)
    fields.end('parameters')
    return SCHEMES.get(oid)
  } catch (error) {
    if (!(error instanceof MalformedDer)) throw error
    return undefined
  }
}

/** RFC 4055 §3.1. The default hash, SHA-1, is refused: both hashes must be named and be the same. */
function readPssScheme(parameters: DerNode): CertificateScheme | undefined {
  const fields = new DerFields(parameters, 'RSASSA-PSS-params')
  const hash = readHash(fields.optional(0xa0)?.children[0])
  const generator = fields.optional(0xa1)?.children[0]
  const salt = fields.optional(0xa2)?.children[0]
  const trailer = fields.optional(0xa3)?.children[0]
  fields.end('RSASSA-PSS-params')
  if (hash === undefined || generator === undefined || salt === undefined) return undefined
  const mask = new DerFields(generator, 'maskGenAlgorithm')
  if (readOid(mask.next(DER.objectIdentifier, 'mgf'), 'mgf') !== MGF1) return undefined
  if (readHash(mask.next(DER.sequence, 'mgfHash')) !== hash) return undefined
  const [saltLength = 0, ...more] = readUnsigned(salt, 'saltLength')
  if (more.length > 0) return undefined
  if (trailer !== undefined && readUnsigned(trailer, 'trailerField')[0] !== 1) return undefined
  return { name: 'RSA-PSS', hash, saltLength }
}

function readHash(node: DerNode | undefined): Hash | undefined {
  if (node === undefined) return undefined
  const fields = new DerFields(node, 'hashAlgorithm')
  const oid = readOid(fields.next(DER.objectIdentifier, 'hashAlgorithm'), 'hashAlgorithm')
  return HASHES.get(oid)
}

/** Ecdsa-Sig-Value (RFC 3279 §2.2.3) to the fixed-length r ‖ s of WebCrypto. */
function toRawSignature(der: Uint8Array, curve: EcCurve): Uint8Array | undefined {
  try {
    const fields = new DerFields(decodeDer(der, 'Ecdsa-Sig-Value'), 'Ecdsa-Sig-Value')
    const r = readUnsigned(fields.next(DER.integer, 'r'), 'r')
    const s = readUnsigned(fields.next(DER.integer, 's'), 's')
    fields.end('Ecdsa-Sig-Value')
    const size = COORDINATE_BYTES[curve]
    if (r.length > size || s.length > size) return undefined
    const raw = new Uint8Array(2 * size)
    raw.set(r, size - r.length)
    raw.set(s, 2 * size - s.length)
    return raw
  } catch (error) {
    if (!(error instanceof MalformedDer)) throw error
    return undefined
  }
}
