import { toBase64 } from '../../src/base/encoding.ts'
import { type Certificate, parsePemBundle } from '../../src/evidence/x509/certificate.ts'
import { fingerprintOf } from '../../src/evidence/x509/fingerprint.ts'
import { type CertificateRequest, issueCertificate } from './certificates.ts'
import { expectOk } from './refusal.ts'

/** A root certificate, and how reference values list it. */
export type TestAnchor = {
  readonly certificate: Certificate
  readonly fingerprint: string
  readonly text: string
  readonly entry: (changes?: object) => object
}

export async function makeAnchor(
  subject: string,
  changes: Partial<CertificateRequest> = {},
): Promise<TestAnchor> {
  const { pem } = await issueCertificate({
    subject,
    ca: true,
    keyUsage: ['keyCertSign'],
    notBefore: new Date('2026-01-01T00:00:00Z'),
    notAfter: new Date('2036-01-01T00:00:00Z'),
    ...changes,
  })
  return readAnchor(pem, subject)
}

export function readAnchor(pem: string, name: string): TestAnchor {
  const [certificate] = expectOk(parsePemBundle(pem))
  if (certificate === undefined) throw new TypeError('no certificate')
  const text = toBase64(certificate.der)
  return {
    certificate,
    fingerprint: fingerprintOf(certificate),
    text,
    entry: (changes = {}) => ({ name, certificate: text, ...changes }),
  }
}
