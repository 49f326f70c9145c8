import { toBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import {
  DER,
  DerFields,
  decodeDer,
  MalformedDer,
  readOctetsOfBits,
  readOid,
  readUnsigned,
} from './der.ts'
import type { CertificateFailure } from './failure.ts'
import { MAX_CERTIFICATE_BYTES } from './limits.ts'
import { type RsaPublicKey, toRsaPublicKey } from './rsa-public-key.ts'

export type EcCurve = 'P-256' | 'P-384' | 'P-521'

/** RFC 7518 §6.2.1. The point is not yet known to be on the curve: importing the key checks it. */
export type EcPublicKey = {
  readonly kty: 'EC'
  readonly crv: EcCurve
  readonly x: string
  readonly y: string
}

export type SubjectPublicKey = RsaPublicKey | EcPublicKey

export const COORDINATE_BYTES: Readonly<Record<EcCurve, number>> = {
  'P-256': 32,
  'P-384': 48,
  'P-521': 66,
}

const RSA_ENCRYPTION = '1.2.840.113549.1.1.1'
const EC_PUBLIC_KEY = '1.2.840.10045.2.1'
const CURVES: ReadonlyMap<string, EcCurve> = new Map([
  ['1.2.840.10045.3.1.7', 'P-256'],
  ['1.3.132.0.34', 'P-384'],
  ['1.3.132.0.35', 'P-521'],
])

/**
 * Reads the DER of a SubjectPublicKeyInfo (RFC 3279 §2.3, RFC 5480 §2) as a JSON Web Key. Refuses
 * other algorithms and curves, RSA below 2048 bits and compressed points.
 */
export function readSubjectPublicKey(
  spki: Uint8Array,
): Result<SubjectPublicKey, CertificateFailure> {
  if (spki.length > MAX_CERTIFICATE_BYTES) {
    return err({ reason: 'certificate_too_large', detail: 'subjectPublicKeyInfo' })
  }
  try {
    const key = readKey(spki)
    if (key !== undefined) return ok(key)
    return err({ reason: 'certificate_algorithm_refused', detail: 'subjectPublicKeyInfo' })
  } catch (error) {
    if (!(error instanceof MalformedDer)) throw error
    return err({ reason: 'certificate_malformed', detail: error.field })
  }
}

function readKey(spki: Uint8Array): SubjectPublicKey | undefined {
  const field = 'subjectPublicKeyInfo'
  const fields = new DerFields(decodeDer(spki, field), field)
  const algorithm = new DerFields(fields.next(DER.sequence, field), field)
  const bits = readOctetsOfBits(fields.next(DER.bitString, field), field)
  fields.end(field)
  const oid = readOid(algorithm.next(DER.objectIdentifier, field), field)
  if (oid === RSA_ENCRYPTION) {
    algorithm.optional(DER.null)
    algorithm.end(field)
    return readRsaKey(bits)
  }
  if (oid !== EC_PUBLIC_KEY) return undefined
  const curve = algorithm.optional(DER.objectIdentifier)
  return curve === undefined ? undefined : readEcKey(readOid(curve, field), bits)
}

function readRsaKey(bits: Uint8Array): RsaPublicKey | undefined {
  const fields = new DerFields(decodeDer(bits, 'RSAPublicKey'), 'RSAPublicKey')
  const modulus = readUnsigned(fields.next(DER.integer, 'modulus'), 'modulus')
  const exponent = readUnsigned(fields.next(DER.integer, 'publicExponent'), 'publicExponent')
  fields.end('RSAPublicKey')
  return toRsaPublicKey(modulus, exponent)
}

function readEcKey(oid: string, point: Uint8Array): EcPublicKey | undefined {
  const crv = CURVES.get(oid)
  if (crv === undefined || point[0] !== 0x04) return undefined
  const size = COORDINATE_BYTES[crv]
  if (point.length !== 1 + 2 * size) throw new MalformedDer('ECPoint')
  return {
    kty: 'EC',
    crv,
    x: toBase64Url(point.subarray(1, 1 + size)),
    y: toBase64Url(point.subarray(1 + size)),
  }
}
