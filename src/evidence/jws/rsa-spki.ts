import { fromBase64Url } from '../../base/encoding.ts'

/** AlgorithmIdentifier of rsaEncryption: its OID and a NULL. RFC 3279 §2.3.1 */
const RSA_ENCRYPTION = Buffer.from('300d06092a864886f70d0101010500', 'hex')

/**
 * An RSA key as DER SubjectPublicKeyInfo (RFC 3279 §2.3.1): what exporting it from WebCrypto gives, for
 * the price of a copy.
 */
export function encodeRsaSpki({ n = '', e = '' }: Readonly<JsonWebKey>): Uint8Array {
  const key = tagged(0x30, unsigned(fromBase64Url(n)), unsigned(fromBase64Url(e)))
  return tagged(0x30, RSA_ENCRYPTION, tagged(0x03, Uint8Array.of(0), key))
}

/** An INTEGER, with the octet in front that keeps it positive. */
function unsigned(value: Uint8Array = new Uint8Array()): Uint8Array {
  const isNegative = ((value[0] ?? 0) & 0x80) !== 0
  return isNegative ? tagged(0x02, Uint8Array.of(0), value) : tagged(0x02, value)
}

function tagged(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const length = content.reduce((sum, part) => sum + part.length, 0)
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Uint8Array.of(tag, ...size), ...content])
}
