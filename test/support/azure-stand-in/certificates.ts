import { createHash } from 'node:crypto'
import { OctetString } from 'asn1js'
import { GeneralName, GeneralNames } from 'pkijs'
import { type IssuedCertificate, issueCertificate, makeKeyPair, toPem } from '../certificates.ts'

/** Wide enough for the clocks of all tests and for the real one, which TLS looks at. */
const NOT_BEFORE = new Date('2020-01-01T00:00:00Z')
const NOT_AFTER = new Date('2049-01-01T00:00:00Z')
const VALID = { notBefore: NOT_BEFORE, notAfter: NOT_AFTER }
const CA = { ...VALID, ca: true, keyUsage: ['keyCertSign', 'cRLSign'] } as const
const DNS_NAME = 2
const IP_ADDRESS = 7

const RSA = { kind: 'rsa', bits: 2048 } as const

/** RSA keys take long to make: each process makes a few and uses them again. */
const pool = new Map<string, Promise<CryptoKeyPair>>()

export function rsaKeys(name: string): Promise<CryptoKeyPair> {
  const known = pool.get(name) ?? makeKeyPair(RSA)
  pool.set(name, known)
  return known
}

export type TlsIdentity = { readonly caPem: string; readonly cert: string; readonly key: string }

/** A certificate authority of its own and a server certificate for the loopback names. */
export async function createTlsIdentity(): Promise<TlsIdentity> {
  const ca = await issueCertificate({ ...CA, subject: 'Stand-in TLS root' })
  const names = new GeneralNames({
    names: [
      new GeneralName({ type: DNS_NAME, value: 'localhost' }),
      new GeneralName({ type: IP_ADDRESS, value: ipAddress() }),
    ],
  })
  const server = await issueCertificate({
    ...VALID,
    subject: 'localhost',
    issuer: ca,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: ['1.3.6.1.5.5.7.3.1'],
    extensions: [
      { oid: '2.5.29.17', critical: false, value: new Uint8Array(names.toSchema().toBER()) },
    ],
  })
  return { caPem: ca.pem, cert: server.pem + ca.pem, key: await privateKeyPem(server.keys) }
}

/** 127.0.0.1 as an OCTET STRING. */
function ipAddress() {
  return new OctetString({ valueHex: Uint8Array.of(127, 0, 0, 1).buffer })
}

export async function privateKeyPem(keys: CryptoKeyPair): Promise<string> {
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
  return toPem(new Uint8Array(pkcs8), 'PRIVATE KEY')
}

/** A key that tokens are signed with and how Azure publishes it. */
export type PublishedKey = {
  readonly kid: string
  readonly x5c: readonly string[]
  readonly privateKey: CryptoKey
}

const base64 = (der: Uint8Array) => Buffer.from(der).toString('base64')

/** The self-signed kind, shared by all providers of a region; signs answers about policies. */
export async function createRegionalKey(providerUrl: string): Promise<PublishedKey> {
  const keys = await rsaKeys('regional')
  const certificate = await issueCertificate({ ...VALID, subject: providerUrl, key: keys })
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', keys.publicKey))
  const pem = toPem(spki, 'PUBLIC KEY')
  const kid = createHash('sha256').update(pem).update('\0').digest('base64')
  return { kid, x5c: [base64(certificate.der)], privateKey: keys.privateKey }
}

/** The kind with a chain of three, of which the leaf lives for some months; signs TPM tokens. */
export async function createPkiKey(
  name: string,
  validity: { readonly notBefore: Date; readonly notAfter: Date } = VALID,
): Promise<PublishedKey> {
  const { root, intermediate } = await pki()
  const leaf = await issueCertificate({
    subject: 'Microsoft Azure Attestation 2020',
    issuer: intermediate,
    ...validity,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: ['1.3.6.1.4.1.311.76.50.3'],
    key: await rsaKeys(name),
  })
  return {
    kid: createHash('sha1').update(leaf.der).digest('base64url'),
    x5c: [leaf, intermediate, root].map(({ der }) => base64(der)),
    privateKey: leaf.keys.privateKey,
  }
}

let authorities: Promise<{ root: IssuedCertificate; intermediate: IssuedCertificate }> | undefined

function pki() {
  authorities ??= (async () => {
    const root = await issueCertificate({ ...CA, subject: 'Microsoft Root Certificate Authority' })
    const intermediate = await issueCertificate({
      ...CA,
      subject: 'Microsoft Azure Attestation PCA',
      issuer: root,
    })
    return { root, intermediate }
  })()
  return authorities
}

/** What a client proves itself with, and what signs policies of isolated providers. */
export async function createClientCertificate(
  subject: string,
): Promise<{ readonly certificate: IssuedCertificate; readonly pem: string }> {
  const certificate = await issueCertificate({
    ...VALID,
    subject,
    keyUsage: ['digitalSignature'],
    key: await rsaKeys(subject),
  })
  return { certificate, pem: certificate.pem + (await privateKeyPem(certificate.keys)) }
}
