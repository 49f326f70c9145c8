import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { readCertificateFile } from '../../../src/evidence/x509/certificate-file.ts'
import { fingerprintOf } from '../../../src/evidence/x509/fingerprint.ts'
import { MAX_BUNDLE_CHARS } from '../../../src/evidence/x509/limits.ts'
import { type IssuedCertificate, issueCertificate, toPem } from '../../support/certificates.ts'
import { describeOpenssl, openssl } from '../../support/openssl.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

let one: IssuedCertificate
let two: IssuedCertificate

beforeAll(async () => {
  one = await issueCertificate({ subject: 'One', ca: true })
  two = await issueCertificate({ subject: 'Two', ca: true, key: { kind: 'rsa' } })
})

const read = (bytes: Uint8Array) => expectOk(readCertificateFile(bytes)).map(fingerprintOf)
const fingerprints = () => [one, two].map(fingerprintOf)

describe('a file of certificates', () => {
  test('is one in DER, or some in PEM with text around them', () => {
    expect(read(one.der)).toEqual([fingerprintOf(one)])
    expect(read(Buffer.from(`# the first\n${one.pem}\nsubject=Two\n${two.pem}`))).toEqual(
      fingerprints(),
    )
  })

  test('that is longer than any is not read', () => {
    const long = new Uint8Array(MAX_BUNDLE_CHARS + 1)
    expectRefusal(readCertificateFile(long), 'certificate_bundle_too_large')
  })

  test('that is none is refused', () => {
    expectRefusal(readCertificateFile(new Uint8Array()), 'certificate_bundle_malformed')
    expectRefusal(readCertificateFile(Buffer.from('hello')), 'certificate_bundle_malformed')
    expectRefusal(readCertificateFile(Uint8Array.of(0x30, 0)), 'certificate_malformed')
    const key = Buffer.from(toPem(one.der, 'PRIVATE KEY'))
    expectRefusal(readCertificateFile(key), 'certificate_bundle_malformed')
  })

  test('of one certificate is that one whole: nothing cut off, nothing behind it', () => {
    fc.assert(
      fc.property(fc.nat({ max: one.der.length - 1 }), (length) => {
        expect(readCertificateFile(one.der.subarray(0, length)).ok).toBe(false)
      }),
    )
    const longer = Buffer.concat([one.der, Uint8Array.of(0)])
    expectRefusal(readCertificateFile(longer), 'certificate_malformed')
  })
})

describeOpenssl('a certs-only message that OpenSSL made (RFC 5652 §5)', () => {
  const messageOf = (form: 'DER' | 'PEM') =>
    new Uint8Array(
      openssl(['crl2pkcs7', '-nocrl', '-outform', form, '-certfile'], one.pem + two.pem),
    )

  test('is read in DER and in PEM, under both of its labels', () => {
    const der = messageOf('DER')
    expect(read(der).toSorted()).toEqual(fingerprints().toSorted())
    expect(read(messageOf('PEM'))).toEqual(read(der))
    for (const label of ['PKCS7', 'CMS']) {
      expect(read(Buffer.from(toPem(der, label)))).toEqual(read(der))
    }
  })

  test('comes alone: not with another, not beside certificates, not with bytes behind it', () => {
    const text = Buffer.from(messageOf('PEM')).toString()
    expectRefusal(readCertificateFile(Buffer.from(text + text)), 'certificate_bundle_malformed')
    expectRefusal(readCertificateFile(Buffer.from(one.pem + text)), 'certificate_bundle_malformed')
    const longer = Buffer.concat([messageOf('DER'), Uint8Array.of(0)])
    expect(readCertificateFile(longer).ok).toBe(false)
  })

  test('is not read past any place at which it was cut', () => {
    const der = messageOf('DER')
    fc.assert(
      fc.property(fc.nat({ max: der.length - 1 }), (length) => {
        expect(readCertificateFile(der.subarray(0, length)).ok).toBe(false)
      }),
    )
  })

  test('that was changed in one byte gives other certificates or none, and never throws', () => {
    const der = messageOf('DER')
    fc.assert(
      fc.property(fc.nat({ max: der.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const changed = Uint8Array.from(der)
        changed[at] = (changed[at] ?? 0) ^ by
        const result = readCertificateFile(changed)
        if (result.ok) expect(result.value.length).toBeLessThanOrEqual(2)
      }),
      { numRuns: 500 },
    )
  })
})
