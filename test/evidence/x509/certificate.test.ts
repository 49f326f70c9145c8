import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseCertificate, parsePemBundle } from '../../../src/evidence/x509/certificate.ts'
import { CERTIFICATE_REASONS } from '../../../src/evidence/x509/failure.ts'
import { MAX_CERTIFICATE_BYTES } from '../../../src/evidence/x509/limits.ts'
import {
  algorithm,
  issueCertificate,
  type TestExtension,
  toPem,
} from '../../support/certificates.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vector, vectorText } from '../../support/vectors.ts'

const issued = await issueCertificate({
  subject: 'Device',
  keyUsage: ['digitalSignature', 'keyAgreement', 'decipherOnly'],
  extendedKeyUsage: ['2.23.133.8.3'],
})

const extension = (value: number[], critical = false): TestExtension => ({
  oid: '1.3.6.1.4.1.99999.1',
  critical,
  value: Uint8Array.from(value),
})

/** The DER with one stretch of bytes, which must occur exactly once, replaced by as many. */
function patch(der: Uint8Array, from: number[], to: number[]): Uint8Array {
  const bytes = Buffer.from(der)
  const at = bytes.indexOf(Buffer.from(from))
  expect(at).toBeGreaterThan(-1)
  expect(bytes.indexOf(Buffer.from(from), at + 1)).toBe(-1)
  bytes.set(to, at)
  return bytes
}

describe('parseCertificate', () => {
  test('reads what a certificate says of itself', () => {
    const certificate = expectOk(parseCertificate(issued.der))
    expect(certificate.version).toBe(3)
    expect(certificate.notBefore).toEqual(new Date('2024-01-01T00:00:00Z'))
    expect(certificate.notAfter).toEqual(new Date('2026-01-01T00:00:00Z'))
    expect(certificate.basicConstraints).toEqual({ ca: false, pathLength: undefined })
    expect([...(certificate.keyUsage ?? [])]).toEqual([
      'digitalSignature',
      'keyAgreement',
      'decipherOnly',
    ])
    expect(certificate.extendedKeyUsage).toEqual(['2.23.133.8.3'])
    expect(certificate.extensions.get('2.5.29.19')?.critical).toBe(true)
    expect(certificate.issuer).toEqual(certificate.subject)
  })

  test('keeps the signed part and the names exactly as received', () => {
    const certificate = expectOk(parseCertificate(issued.der))
    const der = Buffer.from(issued.der)
    expect(certificate.der).toEqual(new Uint8Array(issued.der))
    for (const part of [certificate.tbs, certificate.subject, certificate.spki]) {
      expect(der.indexOf(Buffer.from(part))).toBeGreaterThan(0)
    }
  })

  test('refuses truncation at every offset', () => {
    for (let length = 0; length < issued.der.length; length += 1) {
      expectRefusal(parseCertificate(issued.der.subarray(0, length)), 'certificate_malformed')
    }
  })

  test('refuses a byte after the certificate', () => {
    const longer = Buffer.concat([issued.der, Buffer.from([0])])
    expect(expectRefusal(parseCertificate(longer), 'certificate_malformed').detail).toContain(
      'trailing',
    )
  })

  test('refuses more bytes than the cap before it parses them', () => {
    const large = Buffer.concat([issued.der, Buffer.alloc(MAX_CERTIFICATE_BYTES)])
    expectRefusal(parseCertificate(large), 'certificate_too_large')
    expectRefusal(parseCertificate(issued.der, 100), 'certificate_too_large')
  })

  test('accepts an extension that writes `critical FALSE` out, as some EK certificates do', async () => {
    const { der } = await issueCertificate({
      subject: 'EK',
      extensions: [extension([0x05, 0x00, 0x11, 0x22, 0x33], true)],
    })
    const explicit = patch(der, [0x01, 0x01, 0xff, 0x04, 0x05], [0x01, 0x01, 0x00, 0x04, 0x05])
    const certificate = expectOk(parseCertificate(explicit))
    expect(certificate.extensions.get('1.3.6.1.4.1.99999.1')?.critical).toBe(false)
  })

  test('refuses a BOOLEAN that is neither TRUE nor FALSE', async () => {
    const { der } = await issueCertificate({
      subject: 'EK',
      extensions: [extension([0x05, 0x00, 0x11, 0x22, 0x33], true)],
    })
    const odd = patch(der, [0x01, 0x01, 0xff, 0x04, 0x05], [0x01, 0x01, 0x01, 0x04, 0x05])
    expectRefusal(parseCertificate(odd), 'certificate_malformed')
  })

  test('refuses two instances of one extension', async () => {
    const { der } = await issueCertificate({
      subject: 'Twice',
      extensions: [extension([0x05, 0x00]), extension([0x05, 0x00])],
    })
    expectRefusal(parseCertificate(der), 'certificate_duplicate_extension')
  })

  test('refuses a second basicConstraints that says the opposite of the first', async () => {
    const { der } = await issueCertificate({
      subject: 'Two minds',
      extensions: [
        { oid: '2.5.29.19', critical: true, value: Uint8Array.from([0x30, 3, 1, 1, 0xff]) },
      ],
    })
    expectRefusal(parseCertificate(der), 'certificate_duplicate_extension')
  })

  test('refuses a signature algorithm outside that differs from the signed one', async () => {
    const { der } = await issueCertificate({ subject: 'Swap' })
    const bytes = Buffer.from(der)
    // ecdsa-with-SHA256 becomes ecdsa-with-SHA384 in the outer field alone.
    const oid = Buffer.from('06082a8648ce3d040302', 'hex')
    bytes[bytes.lastIndexOf(oid) + oid.length - 1] = 0x03
    expectRefusal(parseCertificate(bytes), 'certificate_algorithm_mismatch')
  })

  test.each([
    ['keyUsage that is no BIT STRING', '2.5.29.15', [0x05, 0x00]],
    ['keyUsage with more than two octets', '2.5.29.15', [0x03, 0x04, 0x00, 1, 1, 1]],
    ['keyUsage with eight unused bits', '2.5.29.15', [0x03, 0x02, 0x08, 0x80]],
    ['empty extKeyUsage', '2.5.29.37', [0x30, 0x00]],
    ['extKeyUsage of integers', '2.5.29.37', [0x30, 0x03, 0x02, 0x01, 0x01]],
  ])('refuses a %s', async (_, oid, value) => {
    const extensions = [{ oid, critical: false, value: Uint8Array.from(value) }]
    const { der } = await issueCertificate({ subject: 'Odd', extensions })
    expectRefusal(parseCertificate(der), 'certificate_malformed')
  })

  test.each([
    ['a negative path length', [0x30, 6, 1, 1, 0xff, 2, 1, 0xff]],
    ['a path length of five octets', [0x30, 10, 1, 1, 0xff, 2, 5, 1, 0, 0, 0, 0]],
    ['a path length that is padded', [0x30, 7, 1, 1, 0xff, 2, 2, 0, 1]],
    ['something after the path length', [0x30, 8, 1, 1, 0xff, 2, 1, 0, 5, 0]],
    ['trailing bytes', [0x30, 3, 1, 1, 0xff, 0]],
    ['an indefinite length', [0x30, 0x80, 1, 1, 0xff, 0, 0]],
    ['an overlong length', [0x30, 0x81, 3, 1, 1, 0xff]],
  ])('refuses basicConstraints with %s', async (_, value) => {
    const extensions = [{ oid: '2.5.29.19', critical: true, value: Uint8Array.from(value) }]
    const { der } = await issueCertificate({
      subject: 'CA',
      withoutBasicConstraints: true,
      extensions,
    })
    expectRefusal(parseCertificate(der), 'certificate_malformed')
  })

  test('refuses dates that do not exist', async () => {
    const text = (value: string) => [...Buffer.from(value, 'latin1')]
    const february = patch(issued.der, text('260101000000Z'), text('260230000000Z'))
    expectRefusal(parseCertificate(february), 'certificate_malformed')
    const offset = patch(issued.der, text('260101000000Z'), text('2601010000+01'))
    expectRefusal(parseCertificate(offset), 'certificate_malformed')
  })

  test('refuses a date that the ASN.1 library throws on', () => {
    expectRefusal(parseCertificate(Buffer.from('18000143', 'hex')), 'certificate_malformed')
    expectRefusal(parseCertificate(Buffer.from('3004180201ff', 'hex')), 'certificate_malformed')
  })

  test('refuses extensions in a version 1 certificate', () => {
    const old = patch(issued.der, [0xa0, 3, 2, 1, 2], [0xa0, 3, 2, 1, 0])
    expectRefusal(parseCertificate(old), 'certificate_malformed')
    const future = patch(issued.der, [0xa0, 3, 2, 1, 2], [0xa0, 3, 2, 1, 3])
    expectRefusal(parseCertificate(future), 'certificate_malformed')
  })

  test('refuses another structure in the place of a certificate', () => {
    for (const hex of ['', '00', '3000', '31020500', '30800000', '0500', '1f8100']) {
      expectRefusal(parseCertificate(Buffer.from(hex, 'hex')), 'certificate_malformed')
    }
  })

  test('gives up on nesting bombs in bounded time', () => {
    let bomb = Buffer.from([0x05, 0x00])
    while (bomb.length < 8_000) {
      const { length } = bomb
      const head = length < 128 ? [0x30, length] : [0x30, 0x82, length >> 8, length & 0xff]
      bomb = Buffer.concat([Buffer.from(head), bomb])
    }
    expectRefusal(parseCertificate(bomb), 'certificate_malformed')
    const wide = Buffer.alloc(16_000, Buffer.from([0x05, 0x00]))
    const list = Buffer.concat([Buffer.from([0x30, 0x82, 16_000 >> 8, 16_000 & 0xff]), wide])
    expectRefusal(parseCertificate(list), 'certificate_malformed')
  })

  test('property: arbitrary and mutated bytes are refused for a declared reason or parsed', () => {
    const mutation = fc.record({
      at: fc.nat(issued.der.length - 1),
      value: fc.integer({ min: 0, max: 255 }),
    })
    const mutated = fc.array(mutation, { minLength: 1, maxLength: 6 }).map((changes) => {
      const bytes = Buffer.from(issued.der)
      for (const { at, value } of changes) bytes[at] = value
      return new Uint8Array(bytes)
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated), (bytes) => {
        const result = parseCertificate(bytes)
        if (!result.ok) expect(CERTIFICATE_REASONS).toContain(result.failure.reason)
      }),
      { numRuns: 500 },
    )
  })
})

describe('parsePemBundle', () => {
  test('reads every certificate of a bundle with comments between them', async () => {
    const other = await issueCertificate({ subject: 'Other' })
    const text = `# first\n${issued.pem}\nsecond:\r\n${other.pem.replaceAll('\n', '\r\n')}`
    const [first, second, ...more] = expectOk(parsePemBundle(text))
    expect(first?.der).toEqual(new Uint8Array(issued.der))
    expect(second?.der).toEqual(new Uint8Array(other.der))
    expect(more).toEqual([])
  })

  test.each([
    ['no certificate', 'nothing here'],
    ['a block without its end', issued.pem.slice(0, -20)],
    ['a damaged block beside a good one', `${issued.pem}${issued.pem.replace('MII', 'M*I')}`],
    ['a block that is something else', toPem(new Uint8Array(4), 'PRIVATE KEY')],
    ['an empty block', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
  ])('refuses %s', (_, text) => {
    expectRefusal(parsePemBundle(text), 'certificate_bundle_malformed')
  })

  test('passes on what is wrong with a certificate inside', () => {
    expectRefusal(parsePemBundle(toPem(Buffer.from('3000', 'hex'))), 'certificate_malformed')
  })

  test('refuses too many characters and too many certificates', () => {
    expectRefusal(parsePemBundle('x'.repeat(1_048_577)), 'certificate_bundle_too_large')
    const blocks = toPem(Buffer.from('3000', 'hex')).repeat(257)
    expectRefusal(parsePemBundle(blocks), 'certificate_bundle_too_large')
  })
})

test('an algorithm identifier of any kind parses: it is judged where a signature is checked', async () => {
  const { der } = await issueCertificate({ subject: 'Old', key: { kind: 'ec', hash: 'SHA-1' } })
  const certificate = expectOk(parseCertificate(der))
  expect(Buffer.from(certificate.signatureAlgorithm).toString('hex')).toContain(
    Buffer.from(algorithm('1.2.840.10045.4.1').toSchema().toBER()).toString('hex'),
  )
})

describeVectors('certificates of the field', () => {
  test("Azure Attestation's signing certificates parse, dates in GeneralizedTime included", () => {
    const { keys } = JSON.parse(vectorText('maa/jwks/jwks-wus-shared-2022-11-17.json'))
    for (const key of keys) {
      for (const text of key.x5c) expectOk(parseCertificate(Buffer.from(text, 'base64')))
    }
    const [self] = keys
    const certificate = expectOk(parseCertificate(Buffer.from(self.x5c[0], 'base64')))
    expect(certificate.notAfter.getUTCFullYear()).toBe(2050)
  })

  test('the health certificate of a VBS host parses', () => {
    const certificate = expectOk(parseCertificate(vector('vbs/hgs-health-certificate.der')))
    expect([...(certificate.keyUsage ?? [])]).toEqual(['digitalSignature'])
  })
})
