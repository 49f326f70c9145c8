import { decodeJwt } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseReferenceValues } from '../../../../src/appraisal/reference-values.ts'
import { toBase64Url } from '../../../../src/base/encoding.ts'
import { readTrustAnchors } from '../../../../src/config/trust-anchors.ts'
import { fingerprintOf } from '../../../../src/evidence/x509/fingerprint.ts'
import { trustUnder } from '../../../../src/operations/attest/trust-in-force.ts'
import { independentKeys } from '../../../../src/simulator/key-source.ts'
import { startVirtualDevice, type VirtualDevice } from '../../../../src/simulator/virtual-device.ts'
import {
  type AikTrust,
  resolveAik,
  validateAik,
} from '../../../../src/verifier/kinds/tpm/attestation-key.ts'
import {
  type CertificateRequest,
  type IssuedCertificate,
  issueCertificate,
} from '../../../support/certificates.ts'
import {
  describeMicrosoftChains,
  MICROSOFT_CHAINS,
  MICROSOFT_CHAINS_AT,
  readMicrosoft,
  readMicrosoftPem,
} from '../../../support/microsoft-chains.ts'
import { expectOk, expectRefusal } from '../../../support/refusal.ts'
import { readAnchor } from '../../../support/trust-anchors.ts'
import {
  currentOf,
  makeRequest,
  makeVerifier,
  NOW,
  payloadOf,
  readData,
  signRequest,
  type TestVerifier,
} from '../../harness.ts'

/**
 * Which certificates of a trusted authority make a key an attestation key. What the purpose is: TCG
 * Credential Profile for EK §3.2.16 (tcg-kp-AIKCertificate); what an issuer may hand on: RFC 5280
 * §4.2.1.12; who may issue: §6.1.4 (k).
 */
const AK = '2.23.133.8.3'
const EK = '2.23.133.8.1'
const TLS_CLIENT = '1.3.6.1.5.5.7.3.2'
const TLS_SERVER = '1.3.6.1.5.5.7.3.1'
const ANY = '2.5.29.37.0'
const DAY_MS = 86_400_000
const validity = {
  notBefore: new Date(NOW.getTime() - 10 * DAY_MS),
  notAfter: new Date(NOW.getTime() + 300 * DAY_MS),
}
const authority = { ca: true, keyUsage: ['keyCertSign'], ...validity } as const
const signs = { keyUsage: ['digitalSignature'], extendedKeyUsage: [AK] } as const

const root = await issueCertificate({ subject: 'Corp Root', ...authority })
const under = (subject: string, more: Partial<CertificateRequest> = {}) =>
  issueCertificate({ subject, issuer: root, ...authority, ...more })
const tlsAuthority = await under('Corp TLS CA', { extendedKeyUsage: [TLS_SERVER] })
const anyAuthority = await under('Corp CA', { extendedKeyUsage: [ANY] })
const user = await under('alice', { ca: false, keyUsage: ['digitalSignature'] })
const stranger = await issueCertificate({ subject: 'Corp Root', ...authority })
const bundle = [root, tlsAuthority, anyAuthority, user].map(({ pem }) => pem).join('')

let verifier: TestVerifier
let device: VirtualDevice

beforeAll(async () => {
  verifier = await makeVerifier()
  device = await startVirtualDevice({ name: 'one', keys: independentKeys() })
})

async function certify(request: Partial<CertificateRequest>): Promise<IssuedCertificate> {
  const spki = new Uint8Array(device.tpm.attestationKey.export({ type: 'spki', format: 'der' }))
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const publicKey = await crypto.subtle.importKey('spki', spki, algorithm, true, ['verify'])
  const key = { publicKey, privateKey: publicKey }
  return issueCertificate({ subject: 'some device', issuer: root, key, ...validity, ...request })
}

async function attest(request: Partial<CertificateRequest>, trust: AikTrust) {
  const { der } = await certify(request)
  const challenge = await verifier.challenge()
  const payload = payloadOf(await makeRequest(device, challenge, { withoutEnclave: true }))
  currentOf(payload.att_data).aik_cert = toBase64Url(der)
  const signed = await signRequest(device.requestKey, 2, payload)
  return verifier.send({ request: signed }, { config: { trust } })
}

async function claimsOf(request: Partial<CertificateRequest>, trust: AikTrust) {
  const { data } = expectOk(await attest(request, trust))
  return decodeJwt(readData(data).payload.report)
}

const unknown = { oid: '1.2.3.4.5', critical: true, value: Uint8Array.of(5, 0) }

describe('under a trusted authority a software key becomes no attestation key by', () => {
  test.each<[string, Partial<CertificateRequest>, string]>([
    ['a certificate for signatures, as for mail', { keyUsage: ['digitalSignature'] }, 'purpose'],
    ['a certificate that says nothing', { withoutBasicConstraints: true }, 'purpose'],
    ['a TLS client', { ...signs, extendedKeyUsage: [TLS_CLIENT] }, 'purpose'],
    ['anyExtendedKeyUsage', { ...signs, extendedKeyUsage: [ANY] }, 'purpose'],
    ['an endorsement key', { ...signs, extendedKeyUsage: [EK] }, 'purpose'],
    ['a key that only decrypts', { ...signs, keyUsage: ['keyEncipherment'] }, 'usage'],
    ['a certificate authority', { ...signs, ca: true }, 'authority'],
    ['an unknown critical extension', { ...signs, extensions: [unknown] }, 'extension'],
    ['an authority for TLS alone', { ...signs, issuer: tlsAuthority }, 'purpose'],
    ['an end entity as the issuer', { ...signs, issuer: user }, 'issuer'],
    ['an expired certificate', { ...signs, notAfter: new Date(NOW.getTime() - DAY_MS) }, 'expired'],
    ['its own signature under the name of the root', { ...signs, issuer: stranger }, 'signature'],
    ['a copy of the root', { ...authority, subject: 'Corp Root' }, 'authority'],
  ])('%s', async (_, request, why) => {
    const reasons = {
      purpose: 'certificate_extended_key_usage',
      usage: 'certificate_key_usage',
      authority: 'certificate_is_ca',
      extension: 'certificate_critical_extension',
      issuer: 'certificate_not_ca',
      expired: 'certificate_expired',
      signature: 'certificate_signature_invalid',
    } as const
    const reason = reasons[why as keyof typeof reasons]
    expectRefusal(await attest(request, readTrustAnchors(bundle)), reason)
  })
})

describe('an attestation key is certified', () => {
  test('by the purpose, under authorities that do not say what they are for', async () => {
    const claims = await claimsOf(signs, readTrustAnchors(bundle))
    expect(claims).toMatchObject({ aikValidated: true, aikPurposeNamed: true })
  })

  test('under one that restricts nothing, and with the purpose among others', async () => {
    const request = { extendedKeyUsage: [TLS_CLIENT, AK], issuer: anyAuthority }
    expect(await claimsOf(request, readTrustAnchors(bundle))).toMatchObject({ aikValidated: true })
  })

  test('nowhere without an anchor: nothing is said of the purpose', async () => {
    const claims = await claimsOf(signs, readTrustAnchors(undefined))
    expect(claims).toMatchObject({ aikValidated: false })
    expect(claims).not.toHaveProperty('aikPurposeNamed')
  })
})

describe('under a lax anchor', () => {
  const lax = readTrustAnchors(bundle, 'lax')
  const silent = { keyUsage: ['digitalSignature'] } as const

  test('a certificate need not name the purpose, and the token says that it did not', async () => {
    const claims = await claimsOf(silent, lax)
    expect(claims).toMatchObject({ aikValidated: true, aikPurposeNamed: false })
    expect(await claimsOf(signs, lax)).toMatchObject({ aikPurposeNamed: true })
  })

  test('another purpose, another usage, an authority and a foreign issuer stay refused', async () => {
    const tls = { ...signs, extendedKeyUsage: [TLS_CLIENT] }
    expectRefusal(await attest(tls, lax), 'certificate_extended_key_usage')
    const decrypts = { keyUsage: ['keyEncipherment'] } as const
    expectRefusal(await attest(decrypts, lax), 'certificate_key_usage')
    expectRefusal(await attest({ ...silent, ca: true }, lax), 'certificate_is_ca')
    const underTls = { ...silent, issuer: tlsAuthority }
    expectRefusal(await attest(underTls, lax), 'certificate_extended_key_usage')
  })

  test('nothing is lax under the anchors beside it', async () => {
    const other = await issueCertificate({ subject: 'Other Root', ...authority })
    const anchor = readAnchor(root.pem, 'Corp')
    const values = (entry: object) =>
      expectOk(parseReferenceValues({ enclaves: [], trust_anchors: [entry] }))
    const trust = trustUnder(
      readTrustAnchors(other.pem),
      [values(anchor.entry({ attestation_key_purpose: 'lax' }))],
      NOW,
    )
    expect([...(trust.laxAnchors ?? [])]).toEqual([anchor.fingerprint])
    expect(await claimsOf(silent, trust)).toMatchObject({ aikPurposeNamed: false })
    expectRefusal(await attest({ ...silent, issuer: other }, trust), 'certificate_issuer_unknown')
    expectOk(await attest({ ...signs, issuer: other }, trust))
    const strict = trustUnder(readTrustAnchors(other.pem), [values(anchor.entry())], NOW)
    expectRefusal(await attest(silent, strict), 'certificate_extended_key_usage')
  })
})

describeMicrosoftChains('attestation keys that Microsoft certified for Windows devices', () => {
  const trustOf = (name: string) =>
    readTrustAnchors(readMicrosoftPem('microsoft-tpm-root-2014') + readMicrosoftPem(`${name}-ca`))
  const aikOf = async (name: string) => {
    const { der } = readMicrosoft(`${name}-aik`)
    return expectOk(await resolveAik({ certificate: der, publicKey: undefined, member: 'test' }))
  }

  test.each(MICROSOFT_CHAINS)('%s is vouched for by the root', async (name) => {
    const path = await validateAik(await aikOf(name), trustOf(name), MICROSOFT_CHAINS_AT)
    const root = readMicrosoft('microsoft-tpm-root-2014')
    const { anchor, learnt } = expectOk(path) ?? expect.fail('not vouched for')
    expect(fingerprintOf(anchor)).toBe(fingerprintOf(root))
    // All of them were in the configuration.
    expect(learnt).toEqual([])
  })

  test.each(MICROSOFT_CHAINS)('%s has an end, and needs its issuing authority', async (name) => {
    const aik = await aikOf(name)
    const late = await validateAik(aik, trustOf(name), new Date('2035-01-01T00:00:00Z'))
    expectRefusal(late, 'certificate_expired')
    const root = readTrustAnchors(readMicrosoftPem('microsoft-tpm-root-2014'))
    const alone = await validateAik(aik, root, MICROSOFT_CHAINS_AT)
    const failure = expectRefusal(alone, 'certificate_issuer_unknown')
    expect(failure).toMatchObject({
      missingIssuers: [
        {
          depth: 0,
          keyIdentifier: Buffer.from(
            readMicrosoft(`${name}-ca`).subjectKeyIdentifier ?? [],
          ).toString('hex'),
          urls: [
            expect.stringMatching(/^http:\/\/azcsprod[a-z]+aikpublish\.blob\.core\.windows\.net\//),
          ],
        },
      ],
    })
  })

  test.each(MICROSOFT_CHAINS)('%s names nobody else under that root', async (name) => {
    const trust = trustOf(name === 'stm-eus' ? 'ntc-eus' : 'stm-eus')
    const result = await validateAik(await aikOf(name), trust, MICROSOFT_CHAINS_AT)
    expectRefusal(result, 'certificate_issuer_unknown')
  })
})
