import { toBase64Url } from '../../base/encoding.ts'
import { encodeRsaSpki } from '../jws/rsa-spki.ts'
import { DER, DerFields, decodeDer, MalformedDer, readOctetsOfBits, readUnsigned } from './der.ts'

/** RFC 4055 §4.1 */
const RSAES_OAEP = '1.2.840.113549.1.1.7'

/**
 * The SubjectPublicKeyInfo of an RSA key as plain rsaEncryption. Some makers of TPMs write their
 * endorsement keys as id-RSAES-OAEP, which no cryptographic library imports; the key is the same.
 * Anything else comes back as it is.
 */
export function plainRsaSpki(spki: Uint8Array): Uint8Array {
  const field = 'subjectPublicKeyInfo'
  try {
    const fields = new DerFields(decodeDer(spki, field), field)
    const algorithm = fields.next(DER.sequence, field).children[0]
    if (algorithm?.oid !== RSAES_OAEP) return spki
    const bits = readOctetsOfBits(fields.next(DER.bitString, field), field)
    fields.end(field)
    const key = new DerFields(decodeDer(bits, 'RSAPublicKey'), 'RSAPublicKey')
    const n = toBase64Url(readUnsigned(key.next(DER.integer, 'modulus'), 'modulus'))
    const e = toBase64Url(readUnsigned(key.next(DER.integer, 'publicExponent'), 'publicExponent'))
    key.end('RSAPublicKey')
    return encodeRsaSpki({ n, e })
  } catch (error) {
    if (!(error instanceof MalformedDer)) throw error
    return spki
  }
}
