import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import * as asn1js from 'asn1js'
import * as pkijs from 'pkijs'
import { fromBase64Url, toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { signEcdsa } from '../../simulator/fixed-keys.ts'

type Keys = { readonly deviceToken: KeyObject; readonly enrolment: KeyObject }

/**
 * An answer with the ECDSA signatures in it that RFC 6979 says for its keys. The service signs device
 * tokens and certificates of enrolled keys with a fresh number each time, as it should; all else in
 * them is the same. Throws where a signature of the service does not verify: it must not be hidden.
 */
export async function settleAnswer(answer: Response, keys: Keys): Promise<Response> {
  const text = await answer.text()
  const { status, headers } = answer
  if (!text.includes('"device_token"') && !text.includes('"aik_cert"')) {
    return new Response(text, { status, headers })
  }
  const body = JSON.parse(text) as Record<string, unknown>
  if (typeof body.device_token === 'string') {
    body.device_token = settleToken(body.device_token, keys.deviceToken)
  }
  if (typeof body.aik_cert === 'string') {
    body.aik_cert = settleCertificate(body.aik_cert, keys.enrolment)
  }
  return new Response(JSON.stringify(body), { status, headers })
}

function settleToken(token: string, key: KeyObject): string {
  const end = token.lastIndexOf('.')
  const signed = toUtf8(token.slice(0, end))
  requireSignature(key, signed, fromBase64Url(token.slice(end + 1)) ?? new Uint8Array())
  return `${token.slice(0, end)}.${toBase64Url(signEcdsa(key, signed))}`
}

function settleCertificate(text: string, key: KeyObject): string {
  const certificate = pkijs.Certificate.fromBER(fromBase64Url(text) ?? new Uint8Array())
  const signed = new Uint8Array(certificate.tbsView)
  const signature = new Uint8Array(certificate.signatureValue.valueBlock.valueHexView)
  requireSignature(key, signed, readSignature(signature))
  const valueHex = writeSignature(signEcdsa(key, signed))
  certificate.signatureValue = new asn1js.BitString({ valueHex })
  return toBase64Url(new Uint8Array(certificate.toSchema().toBER()))
}

/** `signature`: `r || s`. */
function requireSignature(key: KeyObject, message: Uint8Array, signature: Uint8Array): void {
  // Not the key itself: the `verify` of workerd takes one beside options in this form only.
  const { kty, crv = '', x = '', y = '' } = createPublicKey(key).export({ format: 'jwk' })
  const jwk = { kty: kty ?? '', crv, x, y }
  const verifier = { key: jwk, format: 'jwk', dsaEncoding: 'ieee-p1363' } as const
  if (!verify('sha256', message, verifier, signature)) {
    throw new Error('the service answered with a signature that does not verify')
  }
}

/** ECDSA-Sig-Value (RFC 3279 §2.2.3) to `r || s`. */
function readSignature(der: Uint8Array): Uint8Array {
  const { result } = asn1js.fromBER(new Uint8Array(der))
  const { value } = (result as asn1js.Sequence).valueBlock
  const halves = value.map((integer) => {
    const bytes = Buffer.from((integer as asn1js.Integer).valueBlock.valueHexView).toString('hex')
    return Buffer.from(bytes.padStart(64, '0').slice(-64), 'hex')
  })
  return Buffer.concat(halves)
}

function writeSignature(raw: Uint8Array): ArrayBuffer {
  const integers = [raw.subarray(0, 32), raw.subarray(32)].map((half) => {
    const start = Math.max(
      0,
      half.findIndex((byte) => byte !== 0),
    )
    const bytes = half.subarray(start)
    const signed = (bytes[0] ?? 0) & 0x80 ? Buffer.concat([Uint8Array.of(0), bytes]) : bytes
    return new asn1js.Integer({ valueHex: new Uint8Array(signed).buffer })
  })
  return new asn1js.Sequence({ value: integers }).toBER()
}
