import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PARSE_REASONS } from '../../../src/evidence/bytes.ts'
import { parseIdks, readReportKey } from '../../../src/evidence/vbs/idks.ts'
import { issueCertificate, toPem } from '../../support/certificates.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwk = publicKey.export({ format: 'jwk' })
const modulus = Buffer.from(jwk.n ?? '', 'base64url')
const expected = { kty: 'RSA', n: jwk.n, e: 'AQAB' }

/** VSM_IDKS_INFO with single fields replaced. */
function encodeIdks(change: Partial<Record<'alg' | 'bits' | 'e' | 'n', number>> = {}): Buffer {
  const head = Buffer.alloc(16)
  head.writeUInt32LE(change.alg ?? 1, 0)
  head.writeUInt32LE(change.bits ?? 2048, 4)
  head.writeUInt32LE(change.e ?? 3, 8)
  head.writeUInt32LE(change.n ?? 256, 12)
  return Buffer.concat([head, Buffer.from([1, 0, 1]), modulus])
}

const blob = encodeIdks()

describe('parseIdks', () => {
  test('reads the key', () => {
    expect(expectOk(parseIdks(blob))).toEqual(expected)
  })

  test('refuses truncation at every offset and a byte too many', () => {
    for (let length = 0; length < blob.length; length += 1) {
      expectRefusal(parseIdks(blob.subarray(0, length)), 'truncated')
    }
    expectRefusal(parseIdks(Buffer.concat([blob, Buffer.alloc(1)])), 'trailing_bytes')
    expectRefusal(parseIdks(Buffer.alloc(2000)), 'length_over_limit')
  })

  test.each([
    ['another algorithm', { alg: 2 }, 'unexpected_value'],
    ['a bit length that is not that of the modulus', { bits: 4096 }, 'unexpected_value'],
    ['an exponent of four gigabytes', { e: 0xffffffff }, 'length_over_limit'],
    ['a modulus of four gigabytes', { n: 0xffffffff }, 'length_over_limit'],
  ] as const)('refuses %s', (_, change, reason) => {
    expectRefusal(parseIdks(encodeIdks(change)), reason)
  })

  test('refuses a weak key planted in a log', () => {
    const even = Buffer.from(blob)
    even[blob.length - 1] = 0
    expectRefusal(parseIdks(even), 'unexpected_value')
    const one = Buffer.from(blob)
    one.set([0, 0, 1], 16)
    expectRefusal(parseIdks(one), 'unexpected_value')
  })

  test('property: arbitrary and mutated bytes are refused for a declared reason or read', () => {
    const mutated = fc.tuple(fc.nat(blob.length - 1), fc.nat(255)).map(([at, value]) => {
      const bytes = Buffer.from(blob)
      bytes[at] = value
      return new Uint8Array(bytes)
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated), (bytes) => {
        const result = parseIdks(bytes)
        if (!result.ok) expect(PARSE_REASONS).toContain(result.failure.reason)
      }),
    )
  })
})

describe('readReportKey', () => {
  const spki = publicKey.export({ format: 'der', type: 'spki' })

  test('reads the measured key, SubjectPublicKeyInfo in DER and PEM', () => {
    expect(expectOk(readReportKey(blob))).toEqual(expected)
    expect(expectOk(readReportKey(spki))).toEqual(expected)
    expect(expectOk(readReportKey(Buffer.from(toPem(spki, 'PUBLIC KEY'))))).toEqual(expected)
  })

  test('reads certificates in DER and PEM', async () => {
    const { der, pem, keys } = await issueCertificate({ subject: 'HGS', key: { kind: 'rsa' } })
    const { n } = await crypto.subtle.exportKey('jwk', keys.publicKey)
    expect(expectOk(readReportKey(der)).n).toBe(n)
    expect(expectOk(readReportKey(Buffer.from(pem))).n).toBe(n)
  })

  test('refuses anything else', async () => {
    const ec = await issueCertificate({ subject: 'EC' })
    const files = [
      Buffer.alloc(0),
      Buffer.from('hello'),
      blob.subarray(1),
      ec.der,
      Buffer.from(toPem(spki, 'PRIVATE KEY')),
      Buffer.from(toPem(blob, 'PUBLIC KEY')),
    ]
    for (const file of files) expectRefusal(readReportKey(file), 'report_key_unreadable')
    expectRefusal(readReportKey(Buffer.alloc(65_537)), 'report_key_too_large')
  })
})
