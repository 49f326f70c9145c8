import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { digest } from '../../../src/base/digest.ts'
import { fromBase64Url, toBase64, toBase64Url, toHex } from '../../../src/base/encoding.ts'
import {
  aikPubHash,
  importTpmKey,
  spkiDerOfJwk,
  TPM_KEY_REASONS,
} from '../../../src/evidence/tpm/key.ts'
import { importSpki } from '../../../src/evidence/tpm/spki.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vectorText } from '../../support/vectors.ts'
import { concat, ecdsaKey, rsaKey } from './paper-tpm.ts'
import { hclAkPub } from './real-quotes.ts'

let rsa: JsonWebKey
let p256: JsonWebKey
let p384: JsonWebKey

beforeAll(async () => {
  rsa = (await rsaKey({ scheme: 'rsassa', hash: 'sha256' })).jwk
  p256 = (await ecdsaKey({ curve: 'P-256', hash: 'sha256' })).jwk
  p384 = (await ecdsaKey({ curve: 'P-384', hash: 'sha384' })).jwk
})

function bytesOf(text: string | undefined): Uint8Array {
  return fromBase64Url(text ?? '') ?? new Uint8Array()
}

function pem(der: Uint8Array): string {
  const lines = toBase64(der).replace(/.{64}/g, '$&\n')
  return `-----BEGIN PUBLIC KEY-----\n${lines}\n-----END PUBLIC KEY-----\n`
}

describe('importTpmKey', () => {
  test('takes RSA, P-256 and P-384 keys', async () => {
    expect(expectOk(await importTpmKey(rsa))).toMatchObject({ kind: 'rsa', bits: 2048, jwk: rsa })
    expect(expectOk(await importTpmKey(p256))).toMatchObject({ kind: 'ecc', bits: 256, jwk: p256 })
    expect(expectOk(await importTpmKey(p384))).toMatchObject({ kind: 'ecc', bits: 384, jwk: p384 })
  })

  test('imports a key once for each use', async () => {
    const key = expectOk(await importTpmKey(rsa))
    const use = { name: 'RSA-PSS', hash: 'SHA-256' } as const
    expect(await key.verificationKey(use)).toBe(await key.verificationKey({ ...use }))
    expect(expectOk(await importTpmKey(key))).toBe(key)
  })

  test('keeps nothing but the public key', async () => {
    const dressed = { ...rsa, alg: 'PS512', use: 'enc', key_ops: ['sign'], d: 'AQAB', ext: false }
    expect(expectOk(await importTpmKey(dressed)).jwk).toEqual(rsa)
  })

  test('refuses weak RSA keys', async () => {
    const short = { ...rsa, n: toBase64Url(bytesOf(rsa.n).subarray(0, 128).fill(0xc1)) }
    expect(expectRefusal(await importTpmKey(short), 'tpm_key_weak')).toMatchObject({ detail: 'n' })
    const bits2047 = { ...rsa, n: toBase64Url(new Uint8Array(256).fill(0x7f)) }
    expectRefusal(await importTpmKey(bits2047), 'tpm_key_weak')
    for (const e of ['AQ', 'Aw', 'AQAA']) {
      const refused = await importTpmKey({ ...rsa, e })
      expect(expectRefusal(refused, 'tpm_key_weak')).toMatchObject({ detail: 'e' })
    }
  })

  test('refuses keys that cost more to use than any TPM key', async () => {
    const large = { ...rsa, n: toBase64Url(new Uint8Array(513).fill(0xc1)) }
    expectRefusal(await importTpmKey(large), 'tpm_key_unsupported')
    expectRefusal(await importTpmKey({ ...rsa, e: 'AQAAAAE' }), 'tpm_key_unsupported')
  })

  test('refuses other kinds and curves', async () => {
    for (const jwk of [{}, { kty: 'oct', k: 'AA' }, { kty: 'OKP', crv: 'Ed25519' }]) {
      const refused = await importTpmKey(jwk)
      expect(expectRefusal(refused, 'tpm_key_unsupported')).toMatchObject({ detail: 'kty' })
    }
    for (const crv of ['P-521', 'secp256k1', undefined]) {
      const refused = await importTpmKey(JSON.parse(JSON.stringify({ ...p256, crv })))
      expect(expectRefusal(refused, 'tpm_key_unsupported')).toMatchObject({ detail: 'crv' })
    }
  })

  test('refuses members that are absent, of another type or spelled otherwise', async () => {
    const padded = toBase64Url(concat(Uint8Array.of(0), bytesOf(rsa.n)))
    for (const n of [undefined, 7, '', 'not base64!', padded]) {
      const refused = await importTpmKey(JSON.parse(JSON.stringify({ ...rsa, n })))
      expect(expectRefusal(refused, 'tpm_key_malformed')).toMatchObject({ detail: 'n' })
    }
    for (const e of ['', 'AAEAAQ']) {
      expect(expectRefusal(await importTpmKey({ ...rsa, e }), 'tpm_key_malformed')).toEqual({
        ...{ reason: 'tpm_key_malformed', detail: 'e' },
        expected: 'base64url of a big-endian number without leading zeros: 65537 is AQAB',
      })
    }
    const narrow = toBase64Url(bytesOf(p256.x).subarray(1))
    for (const changed of [{ x: narrow }, { y: narrow }]) {
      const refused = await importTpmKey({ ...p256, ...changed })
      expect(expectRefusal(refused, 'tpm_key_malformed')).toMatchObject({
        expected: 'base64url of the 32 bytes of a coordinate, leading zeros included',
      })
    }
  })

  test('refuses a point that is not on its curve', async () => {
    const off = { ...p256, y: toBase64Url(new Uint8Array(32).fill(5)) }
    const refused = await importTpmKey(off)
    expect(expectRefusal(refused, 'tpm_key_malformed')).toMatchObject({
      ...{ detail: 'import', expected: 'a point on P-256' },
    })
  })
})

describe('SubjectPublicKeyInfo', () => {
  test('is written and read back for every kind, as DER and as PEM', async () => {
    for (const jwk of [rsa, p256, p384]) {
      const der = expectOk(await spkiDerOfJwk(jwk))
      expect(expectOk(await importSpki(der))).toEqual(jwk)
      expect(expectOk(await importSpki(pem(der)))).toEqual(jwk)
      expect(expectOk(await importSpki(Buffer.from(pem(der))))).toEqual(jwk)
    }
  })

  test('hashes to aikPubHash', async () => {
    const der = expectOk(await spkiDerOfJwk(rsa))
    expect(toHex(expectOk(await aikPubHash(rsa)))).toBe(toHex(digest('sha256', der)))
    const key = expectOk(await importTpmKey(rsa))
    expect(expectOk(await aikPubHash(key))).toEqual(expectOk(await aikPubHash(rsa)))
    expectRefusal(await aikPubHash({ kty: 'RSA' }), 'tpm_key_malformed')
  })

  test('is refused when cut, extended or changed', async () => {
    const der = expectOk(await spkiDerOfJwk(p256))
    for (let length = 0; length < der.length; length++) {
      expectRefusal(await importSpki(der.subarray(0, length)), 'tpm_key_malformed')
    }
    const extended = await importSpki(concat(der, Uint8Array.of(0)))
    expectRefusal(extended, 'tpm_key_malformed')
    expectRefusal(await importSpki(new Uint8Array(1025).fill(0x30)), 'tpm_key_malformed')
  })

  test('is refused where it is no public key PEM', async () => {
    const der = expectOk(await spkiDerOfJwk(p256))
    const certificate = pem(der).replaceAll('PUBLIC KEY', 'CERTIFICATE')
    for (const text of [
      '',
      'ssh-rsa AAAA',
      certificate,
      `${pem(der)}${pem(der)}`,
      pem(der).repeat(99),
    ]) {
      expectRefusal(await importSpki(text), 'tpm_key_malformed')
    }
  })

  test('of a weak key is refused as weak', async () => {
    const weak = await rsaKey({ scheme: 'rsassa', hash: 'sha256', bits: 1024 })
    const key = await crypto.subtle.importKey(
      'jwk',
      weak.jwk,
      { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
      true,
      ['verify'],
    )
    const der = new Uint8Array(await crypto.subtle.exportKey('spki', key))
    expectRefusal(await importSpki(der), 'tpm_key_weak')
  })

  test('never throws on arbitrary or mutated bytes', async () => {
    const der = expectOk(await spkiDerOfJwk(p256))
    const mutated = fc
      .tuple(fc.nat(der.length - 1), fc.nat(255))
      .map(([position, value]) =>
        Uint8Array.from(der, (byte, at) => (at === position ? value : byte)),
      )
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array(), mutated), async (bytes) => {
        const result = await importSpki(bytes)
        if (!result.ok) expect(TPM_KEY_REASONS).toContain(result.failure.reason)
      }),
    )
  })
})

describe('importTpmKey on arbitrary JSON', () => {
  test('never throws', async () => {
    const members = fc.record(
      {
        kty: fc.constantFrom('RSA', 'EC', 'oct'),
        crv: fc.oneof(fc.constantFrom('P-256', 'P-384'), fc.jsonValue()),
        n: fc.oneof(fc.base64String({ maxLength: 700 }), fc.jsonValue()),
        e: fc.oneof(fc.constantFrom('AQAB'), fc.jsonValue()),
        x: fc.oneof(fc.base64String({ minLength: 40, maxLength: 64 }), fc.jsonValue()),
        y: fc.oneof(fc.base64String({ minLength: 40, maxLength: 64 }), fc.jsonValue()),
      },
      { requiredKeys: ['kty'] },
    )
    await fc.assert(
      fc.asyncProperty(members, async (jwk) => {
        const result = await importTpmKey(JSON.parse(JSON.stringify(jwk)))
        if (!result.ok) expect(TPM_KEY_REASONS).toContain(result.failure.reason)
      }),
    )
  })
})

describeVectors('keys of real machines', () => {
  test.each([
    ['tpm-quote/azure-cvm-tooling/akpub.pem', 'RSA'],
    ['windows/evidence/ak-recovered-faec24c6.pem', 'EC'],
    ['windows/evidence/ak-recovered-365954f0.pem', 'EC'],
  ])('%s is read', async (path, kty) => {
    expect(expectOk(await importSpki(vectorText(path))).kty).toBe(kty)
  })

  test('the HCLAkPub JWK of an HCL report is taken without its other members', async () => {
    const key = hclAkPub('tpm-quote/trustee-az-snp-vtpm/hcl-report.bin')
    expect(Object.keys(expectOk(await importTpmKey(key)).jwk).sort()).toEqual(['e', 'kty', 'n'])
  })
})
