import { digest } from '../base/digest.ts'
import { fromBase64Url, toBase64, toHex, toUtf8 } from '../base/encoding.ts'

/** Something that an agent may have hashed in place of a key's DER SubjectPublicKeyInfo. */
export type MishashedKey = {
  /** In words, such as `its SubjectPublicKeyInfo as PEM`. */
  readonly what: string
  /** SHA-256 of it. */
  readonly hash: Uint8Array
}

type PublicJwk = Readonly<JsonWebKey>

/** What makes a device key, in words for whoever made it of something else. */
export const DEVICE_KEY_FORM =
  'device_key: base64 of the SHA-256 of the attestation key as DER SubjectPublicKeyInfo'

/**
 * The hashes that a key is mistaken to have: over other encodings of it. Of `jwk` only public members
 * are looked at. Made where a device key was refused, to say what it is instead.
 */
export function listMishashed(jwk: PublicJwk, spki: Uint8Array): readonly MishashedKey[] {
  const texts: readonly (readonly [string, string])[] = [
    ...pemTexts(spki).map((text) => ['its SubjectPublicKeyInfo as PEM', text] as const),
    ['the base64 text of its SubjectPublicKeyInfo', toBase64(spki)],
    ['the hexadecimal text of its SubjectPublicKeyInfo', toHex(spki)],
    ...jwkTexts(jwk).map((text) => ['its JWK', text] as const),
  ]
  const bytes = jwk.kty === 'RSA' ? rsaBytes(jwk) : pointBytes(jwk)
  const forms = [...texts.map(([what, text]) => [what, toUtf8(text)] as const), ...bytes]
  return forms.map(([what, form]) => ({ what, hash: digest('sha256', form) }))
}

/** With either end of line, and with one at the end or without. */
function pemTexts(spki: Uint8Array): readonly string[] {
  const lines = toBase64(spki).match(/.{1,64}/g) ?? []
  const block = ['-----BEGIN PUBLIC KEY-----', ...lines, '-----END PUBLIC KEY-----']
  return ['\n', '\r\n'].flatMap((end) => [block.join(end), block.join(end) + end])
}

/** As RFC 7638 §3.2 has it for thumbprints, and in the order in which it is usually written. */
function jwkTexts({ kty, n, e, crv, x, y }: PublicJwk): readonly string[] {
  const orders =
    kty === 'RSA'
      ? [
          { e, kty, n },
          { kty, n, e },
          { n, e, kty },
        ]
      : [
          { crv, kty, x, y },
          { kty, crv, x, y },
        ]
  return orders.flatMap((order) => {
    const text = JSON.stringify(order)
    // As Python's json writes it.
    return [text, text.replaceAll('":"', '": "').replaceAll('","', '", "')]
  })
}

type Form = readonly [what: string, bytes: Uint8Array]

function rsaBytes({ n = '', e = '' }: PublicJwk): readonly Form[] {
  const modulus = fromBase64Url(n) ?? new Uint8Array()
  const exponent = fromBase64Url(e) ?? new Uint8Array()
  const publicArea = (attributes: number) =>
    ['its TPMT_PUBLIC', Buffer.concat([akTemplate(attributes, modulus.length), modulus])] as const
  return [
    ['its modulus', modulus],
    ['its modulus and exponent', Buffer.concat([modulus, exponent])],
    ['its RSAPublicKey (PKCS #1)', rsaPublicKey(modulus, exponent)],
    ...AK_ATTRIBUTES.map(publicArea),
  ]
}

function pointBytes({ x = '', y = '' }: PublicJwk): readonly Form[] {
  const point = Buffer.concat([
    fromBase64Url(x) ?? new Uint8Array(),
    fromBase64Url(y) ?? new Uint8Array(),
  ])
  return [
    ['its point as x and y', point],
    ['its uncompressed point', Buffer.concat([Uint8Array.of(4), point])],
  ]
}

/** RFC 8017 §A.1.1: the end of the SubjectPublicKeyInfo. Both are long enough for two length octets. */
function rsaPublicKey(modulus: Uint8Array, exponent: Uint8Array): Uint8Array {
  const n = Buffer.concat([
    Uint8Array.of(2, 0x82),
    u16(modulus.length + 1),
    Uint8Array.of(0),
    modulus,
  ])
  const e = Buffer.concat([Uint8Array.of(2, exponent.length), exponent])
  return Buffer.concat([Uint8Array.of(0x30, 0x82), u16(n.length + e.length), n, e])
}

/** Of restricted signing keys, with and without noDA, as tpm2_createak and Windows make them. */
const AK_ATTRIBUTES = [0x0005_0072, 0x0005_0472] as const

/** TPMT_PUBLIC of an RSASSA-SHA256 key up to its modulus, of the usual template. Part 2 §12.2.4 */
function akTemplate(attributes: number, modulusBytes: number): Uint8Array {
  const words = Buffer.alloc(4)
  words.writeUInt32BE(attributes)
  const bits = u16(modulusBytes * 8)
  const head = [u16(0x0001), u16(0x000b), words, u16(0), u16(0x0010), u16(0x0014), u16(0x000b)]
  return Buffer.concat([...head, bits, Buffer.alloc(4), u16(modulusBytes)])
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff)
}
