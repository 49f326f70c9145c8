import { createHash, randomUUID } from 'node:crypto'
import * as asn1js from 'asn1js'
import { GeneralName, GeneralNames } from 'pkijs'
import { type IssuedCertificate, issueCertificate, toPem } from '../certificates.ts'
import type { TlsIdentity } from './https-server.ts'
import { rsaKey } from './rsa-keys.ts'

/** A key that signs, and what `/certs` says of it. */
export type ProviderKey = {
  readonly kid: string
  /** Base64 DER, leaf first. */
  readonly x5c: readonly string[]
  readonly privateKey: CryptoKey
}

/** As Azure's, which live for decades. */
const NOT_BEFORE = new Date('2019-05-01T00:00:00Z')
const NOT_AFTER = new Date('2050-12-31T00:00:00Z')
/** RFC 5280 §4.1.2.5: the last year that a UTCTime holds. */
const UTC_NOT_AFTER = new Date('2049-12-31T00:00:00Z')
const GENERALIZED_TIME = 1
const ATTESTATION_PURPOSE = '1.3.6.1.4.1.311.76.50.3'
const SUBJECT_ALT_NAME = '2.5.29.17'
const DAY_MS = 86_400_000
const CA_USAGE = ['keyCertSign', 'cRLSign'] as const

/** A certificate authority of its own, and a certificate of these hosts and of 127.0.0.1 from it. */
export async function createTlsIdentity(hosts: readonly string[] = ['localhost']): Promise<{
  readonly caPem: string
  readonly tls: TlsIdentity
}> {
  const span = { notBefore: NOT_BEFORE, notAfter: UTC_NOT_AFTER }
  // The name is new each time: who trusts two of them must be able to tell them apart.
  const subject = `Stand-in for Azure ${randomUUID()}`
  const ca = await issueCertificate({ subject, ca: true, keyUsage: CA_USAGE, ...span })
  const leaf = await issueCertificate({
    subject: 'localhost',
    issuer: ca,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: ['1.3.6.1.5.5.7.3.1'],
    extensions: [{ oid: SUBJECT_ALT_NAME, critical: false, value: namesOf(hosts) }],
    ...span,
  })
  return { caPem: ca.pem, tls: { cert: leaf.pem, key: await toPrivatePem(leaf.keys.privateKey) } }
}

function namesOf(hosts: readonly string[]): Uint8Array {
  const address = new asn1js.OctetString({ valueHex: Uint8Array.of(127, 0, 0, 1).buffer })
  const names = [
    ...hosts.map((value) => new GeneralName({ type: 2, value })),
    new GeneralName({ type: 7, value: address }),
  ]
  return new Uint8Array(new GeneralNames({ names }).toSchema().toBER())
}

/**
 * The key that all providers of a region share, in the self-signed certificate of one of them. Its
 * years are written as GeneralizedTime although RFC 5280 §4.1.2.5 wants UTCTime for the first, and
 * its `kid` is padded base64.
 */
export async function createRegionalKey(providerUrl: string): Promise<ProviderKey> {
  const keys = await rsaKey('region')
  const { der } = await issueCertificate({
    subject: providerUrl,
    key: keys,
    notBefore: NOT_BEFORE,
    notAfter: NOT_AFTER,
    withoutBasicConstraints: true,
    alter: (certificate) => {
      certificate.serialNumber = new asn1js.Integer({ value: 1 })
      certificate.notBefore.type = GENERALIZED_TIME
      certificate.notAfter.type = GENERALIZED_TIME
    },
  })
  const spki = await crypto.subtle.exportKey('spki', keys.publicKey)
  const text = toPem(new Uint8Array(spki), 'PUBLIC KEY')
  const kid = createHash('sha256').update(text).update(Uint8Array.of(0)).digest('base64')
  return { kid, x5c: [toBase64(der)], privateKey: keys.privateKey }
}

type PkiAuthority = { readonly root: IssuedCertificate; readonly issuing: IssuedCertificate }

let authority: Promise<PkiAuthority> | undefined

/** What stands above the keys of every provider everywhere. */
function pkiAuthority(): Promise<PkiAuthority> {
  authority ??= createPkiAuthority()
  return authority
}

async function createPkiAuthority(): Promise<PkiAuthority> {
  const span = { notBefore: NOT_BEFORE, notAfter: UTC_NOT_AFTER }
  const request = { ca: true, keyUsage: CA_USAGE, ...span }
  const root = await issueCertificate({
    ...request,
    subject: 'Stand-in Root Certificate Authority 2011',
    key: await rsaKey('pki root'),
  })
  const issuing = await issueCertificate({
    ...request,
    subject: 'Stand-in Azure Attestation PCA 2019',
    key: await rsaKey('pki issuing'),
    issuer: root,
  })
  return { root, issuing }
}

/** The days of a leaf counted from `now`. */
export const LEAF_DAYS = {
  current: { from: -90, to: 275 },
  /** Azure's former leaf was still listed eight months after it had expired. */
  former: { from: -620, to: -240 },
  expired: { from: -366, to: -1 },
} as const

/** A key with a chain of three certificates. Its `kid` is the SHA-1 of the leaf. */
export async function createPkiKey(input: {
  /** Of the key. */
  readonly name: string
  readonly days: { readonly from: number; readonly to: number }
  readonly now: Date
}): Promise<ProviderKey> {
  const { days, now } = input
  const { root, issuing } = await pkiAuthority()
  const keys = await rsaKey(input.name)
  const leaf = await issueCertificate({
    subject: 'Stand-in Azure Attestation 2020',
    issuer: issuing,
    key: keys,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: [ATTESTATION_PURPOSE],
    notBefore: new Date(now.getTime() + days.from * DAY_MS),
    notAfter: new Date(now.getTime() + days.to * DAY_MS),
  })
  return {
    kid: createHash('sha1').update(leaf.der).digest('base64url'),
    x5c: [leaf, issuing, root].map(({ der }) => toBase64(der)),
    privateKey: keys.privateKey,
  }
}

/** A self-signed RSA certificate with its key, for a client of Entra or a signer of policies. */
export async function createClientCertificate(name: string): Promise<{
  readonly certificate: IssuedCertificate
  /** PKCS#8. */
  readonly privateKeyPem: string
  /** Both. */
  readonly pem: string
}> {
  const key = await rsaKey(name)
  const span = { notBefore: NOT_BEFORE, notAfter: UTC_NOT_AFTER }
  const certificate = await issueCertificate({ subject: name, key, ca: true, ...span })
  const privateKeyPem = await toPrivatePem(key.privateKey)
  return { certificate, privateKeyPem, pem: certificate.pem + privateKeyPem }
}

async function toPrivatePem(key: CryptoKey): Promise<string> {
  return toPem(new Uint8Array(await crypto.subtle.exportKey('pkcs8', key)), 'PRIVATE KEY')
}

function toBase64(der: Uint8Array): string {
  return Buffer.from(der).toString('base64')
}
