import { describe, expect, test } from 'vitest'
import { digest } from '../../../src/base/digest.ts'
import { toBase64Url, toHex } from '../../../src/base/encoding.ts'
import { MAX_PUBLIC_BYTES } from '../../../src/evidence/tpm/limits.ts'
import { parseTpmPublic } from '../../../src/evidence/tpm/public-area.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors } from '../../support/vectors.ts'
import { concat, sized, u16, u32 } from './paper-tpm.ts'
import { parserLaws } from './parser-laws.ts'
import { googleQuotes, shieldedVmQuote } from './real-quotes.ts'

const NONE = u16(0x0010)
const RSASSA_SHA256 = concat(u16(0x0014), u16(0x000b))
const ECDSA_SHA256 = concat(u16(0x0018), u16(0x000b))
const AES_128_CFB = concat(u16(0x0006), u16(128), u16(0x0043))
const EMPTY = sized(new Uint8Array())
const MODULUS = new Uint8Array(256).fill(0xc1)
/** fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign */
const AK_ATTRIBUTES = 0x0005_0072

function rsa(parts: {
  nameAlg?: Uint8Array
  attributes?: number
  policy?: Uint8Array
  symmetric?: Uint8Array
  scheme?: Uint8Array
  bits?: number
  exponent?: number
  unique?: Uint8Array
}): Uint8Array {
  return concat(
    u16(0x0001),
    parts.nameAlg ?? u16(0x000b),
    u32(parts.attributes ?? AK_ATTRIBUTES),
    parts.policy ?? EMPTY,
    parts.symmetric ?? NONE,
    parts.scheme ?? RSASSA_SHA256,
    u16(parts.bits ?? 2048),
    u32(parts.exponent ?? 0),
    parts.unique ?? sized(MODULUS),
  )
}

function ecc(parts: {
  symmetric?: Uint8Array
  scheme?: Uint8Array
  curve?: number
  kdf?: Uint8Array
  x?: Uint8Array
  y?: Uint8Array
}): Uint8Array {
  return concat(
    u16(0x0023),
    u16(0x000b),
    u32(AK_ATTRIBUTES),
    EMPTY,
    parts.symmetric ?? NONE,
    parts.scheme ?? ECDSA_SHA256,
    u16(parts.curve ?? 3),
    parts.kdf ?? NONE,
    sized(parts.x ?? new Uint8Array(32).fill(1)),
    sized(parts.y ?? new Uint8Array(32).fill(2)),
  )
}

function expectUnexpected(bytes: Uint8Array, field: string): void {
  expect(expectRefusal(parseTpmPublic(bytes), 'unexpected_value')).toMatchObject({ field })
}

describe('TPMT_PUBLIC of an RSA key', () => {
  parserLaws({ parse: parseTpmPublic, valid: () => rsa({}), maxBytes: MAX_PUBLIC_BYTES })

  test('consumes the scheme and reads what follows it', () => {
    expect(expectOk(parseTpmPublic(rsa({})))).toMatchObject({
      kind: 'rsa',
      nameAlgorithm: 'sha256',
      scheme: { algorithm: 'rsassa', hash: 'sha256' },
      jwk: { kty: 'RSA', n: toBase64Url(MODULUS), e: 'AQAB' },
    })
  })

  test('names the object with its name algorithm', () => {
    const bytes = rsa({ nameAlg: u16(0x000c) })
    const { name } = expectOk(parseTpmPublic(bytes))
    expect(toHex(name)).toBe(`000c${toHex(digest('sha384', bytes))}`)
  })

  test('reads attributes from the bits of the specification', () => {
    expect(expectOk(parseTpmPublic(rsa({}))).attributes).toEqual({
      raw: AK_ATTRIBUTES,
      fixedTPM: true,
      stClear: false,
      fixedParent: true,
      sensitiveDataOrigin: true,
      userWithAuth: true,
      adminWithPolicy: false,
      firmwareLimited: false,
      svnLimited: false,
      noDA: false,
      encryptedDuplication: false,
      restricted: true,
      decrypt: false,
      sign: true,
      x509sign: false,
    })
  })

  test.each([0x0000_0001, 0x0000_0008, 0x0000_1000, 0x0010_0000, 0x8000_0000])(
    'refuses the reserved attribute bit %i',
    (bit) => expectUnexpected(rsa({ attributes: AK_ATTRIBUTES + bit }), 'objectAttributes'),
  )

  test('reads a restricted decryption key with its cipher and policy', () => {
    const policy = new Uint8Array(32).fill(7)
    const bytes = rsa({
      attributes: 0x0003_00b2,
      policy: sized(policy),
      symmetric: AES_128_CFB,
      scheme: NONE,
    })
    const key = expectOk(parseTpmPublic(bytes))
    expect(key).toMatchObject({ scheme: null, attributes: { decrypt: true, sign: false } })
    expect(key.authPolicy).toEqual(policy)
  })

  test('reads the schemes an RSA key may have', () => {
    const scheme = (bytes: Uint8Array) => expectOk(parseTpmPublic(rsa({ scheme: bytes }))).scheme
    expect(scheme(concat(u16(0x0016), u16(0x000c)))).toEqual({
      algorithm: 'rsapss',
      hash: 'sha384',
    })
    expect(scheme(concat(u16(0x0017), u16(0x0004)))).toEqual({ algorithm: 'oaep', hash: 'sha1' })
    expect(scheme(u16(0x0015))).toEqual({ algorithm: 'rsaes', hash: null })
  })

  test('spells the exponent without leading zeros', () => {
    expect(expectOk(parseTpmPublic(rsa({ exponent: 3 }))).jwk.e).toBe('Aw')
    expect(expectOk(parseTpmPublic(rsa({ exponent: 0xffff_ffff }))).jwk.e).toBe('_____w')
  })

  test.each<[string, string, Uint8Array]>([
    ['an object that is no key pair', 'type', concat(u16(0x0008), rsa({}).subarray(2))],
    ['a name algorithm that is no hash', 'nameAlg', rsa({ nameAlg: NONE })],
    ['a policy that is no digest', 'authPolicy', rsa({ policy: sized(new Uint8Array(31)) })],
    ['another cipher', 'symmetric', rsa({ symmetric: u16(0x0026) })],
    ['a cipher key size', 'symmetric.keyBits', rsa({ symmetric: concat(u16(6), u16(64)) })],
    ['another mode', 'symmetric.mode', rsa({ symmetric: concat(u16(6), u16(128), u16(0x44)) })],
    ['a scheme of EC keys', 'scheme', rsa({ scheme: ECDSA_SHA256 })],
    ['a scheme hash', 'scheme.hash', rsa({ scheme: concat(u16(0x0014), u16(0x0012)) })],
    ['a key size', 'keyBits', rsa({ bits: 2056 })],
    ['an exponent of one', 'exponent', rsa({ exponent: 1 })],
    ['an even exponent', 'exponent', rsa({ exponent: 65538 })],
    ['a short modulus', 'unique', rsa({ unique: sized(MODULUS.subarray(1)) })],
    ['no modulus, as in a template', 'unique', rsa({ unique: EMPTY })],
    ['a modulus of fewer bits', 'unique', rsa({ unique: sized(new Uint8Array(256).fill(0x7f)) })],
  ])('refuses %s', (_, field, bytes) => expectUnexpected(bytes, field))

  test('refuses overlong fields', () => {
    const unique = parseTpmPublic(rsa({ unique: sized(new Uint8Array(257)) }))
    expect(expectRefusal(unique, 'length_over_limit')).toMatchObject({ field: 'unique' })
    const policy = parseTpmPublic(rsa({ policy: sized(new Uint8Array(33)) }))
    expect(expectRefusal(policy, 'length_over_limit')).toMatchObject({ field: 'authPolicy' })
  })

  test('refuses a modulus that declares more bytes than are there', () => {
    const bytes = rsa({ unique: concat(u16(256), MODULUS.subarray(252)) })
    expectRefusal(parseTpmPublic(bytes), 'truncated')
  })
})

describe('TPMT_PUBLIC of an EC key', () => {
  parserLaws({ parse: parseTpmPublic, valid: () => ecc({}), maxBytes: MAX_PUBLIC_BYTES })

  test('reads curve and point', () => {
    expect(expectOk(parseTpmPublic(ecc({})))).toMatchObject({
      kind: 'ecc',
      scheme: { algorithm: 'ecdsa', hash: 'sha256' },
      jwk: { kty: 'EC', crv: 'P-256', x: toBase64Url(new Uint8Array(32).fill(1)) },
    })
  })

  test('restores leading zeros of a coordinate', () => {
    const short = new Uint8Array(47).fill(9)
    const { jwk } = expectOk(parseTpmPublic(ecc({ curve: 4, x: short, y: short })))
    expect(jwk.crv).toBe('P-384')
    expect(jwk.x).toBe(toBase64Url(concat(Uint8Array.of(0), short)))
  })

  test('reads a storage key with a cipher, and a key with ECDH and a KDF', () => {
    const storage = expectOk(parseTpmPublic(ecc({ symmetric: AES_128_CFB, scheme: NONE })))
    expect(storage.scheme).toBeNull()
    const kdf = concat(u16(0x0020), u16(0x000b))
    const scheme = concat(u16(0x0019), u16(0x000b))
    const exchange = expectOk(parseTpmPublic(ecc({ scheme, kdf })))
    expect(exchange.scheme).toEqual({ algorithm: 'ecdh', hash: 'sha256' })
  })

  test.each<[string, string, Uint8Array]>([
    ['a curve that is not verified', 'curveID', ecc({ curve: 0x0010 })],
    ['a scheme of RSA keys', 'scheme', ecc({ scheme: RSASSA_SHA256 })],
    ['an unknown KDF', 'kdf', ecc({ kdf: u16(0x0021 + 2) })],
    ['a KDF hash', 'kdf.hash', ecc({ kdf: concat(u16(0x0020), u16(0x0010)) })],
    ['a point without x', 'x', ecc({ x: new Uint8Array() })],
    ['a point without y', 'y', ecc({ y: new Uint8Array() })],
  ])('refuses %s', (_, field, bytes) => expectUnexpected(bytes, field))

  test('refuses a coordinate wider than the curve', () => {
    const refused = parseTpmPublic(ecc({ x: new Uint8Array(33) }))
    expect(expectRefusal(refused, 'length_over_limit')).toMatchObject({ field: 'x' })
  })
})

describeVectors('TPMT_PUBLIC of real machines', () => {
  describe('an AK of a Google vTPM', () => {
    parserLaws({
      parse: parseTpmPublic,
      valid: () => googleQuotes().publicArea,
      maxBytes: MAX_PUBLIC_BYTES,
    })
  })

  describe('an AK of a Windows machine', () => {
    parserLaws({
      parse: parseTpmPublic,
      valid: () => shieldedVmQuote().publicArea,
      maxBytes: MAX_PUBLIC_BYTES,
    })
  })
})
