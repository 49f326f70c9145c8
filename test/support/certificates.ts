import type { KeyObject } from 'node:crypto'
import * as asn1js from 'asn1js'
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  BasicConstraints,
  Certificate,
  Extension,
  ExtKeyUsage,
  type RelativeDistinguishedNames,
} from 'pkijs'

export type TestKey =
  | { readonly kind: 'ec'; readonly curve?: 'P-256' | 'P-384' | 'P-521'; readonly hash?: TestHash }
  | { readonly kind: 'rsa'; readonly bits?: number; readonly hash?: TestHash }
  | { readonly kind: 'rsa-pss'; readonly bits?: number; readonly hash?: TestHash }

type TestHash = 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512'

export type TestExtension = {
  readonly oid: string
  readonly critical: boolean
  /** DER of the extension's value. */
  readonly value: Uint8Array
}

export type IssuedCertificate = {
  readonly der: Uint8Array
  readonly pem: string
  readonly subject: string
  readonly keys: CryptoKeyPair
  readonly hash: TestHash
}

export type CertificateRequest = {
  /** Common name. An empty text makes an empty Name. */
  readonly subject: string
  /** Absent: self-signed. */
  readonly issuer?: IssuedCertificate
  readonly ca?: boolean
  readonly pathLen?: number
  /** Names of RFC 5280 §4.2.1.3; absent: no extension. */
  readonly keyUsage?: readonly TestKeyUsage[]
  readonly extendedKeyUsage?: readonly string[]
  readonly notBefore?: Date
  readonly notAfter?: Date
  readonly extensions?: readonly TestExtension[]
  /** What to generate, or a key pair that exists. Default: a P-256 key, which is quick to make. */
  readonly key?: TestKey | CryptoKeyPair
  /** Leaves basicConstraints out, as version 1 style authorities do. */
  readonly withoutBasicConstraints?: boolean
  /** Last touch before signing. */
  readonly alter?: (certificate: Certificate) => void
}

const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const

type TestKeyUsage = (typeof KEY_USAGES)[number]

/** The span in which test certificates are valid unless they say otherwise. */
export const TEST_NOT_BEFORE = new Date('2024-01-01T00:00:00Z')
export const TEST_NOT_AFTER = new Date('2026-01-01T00:00:00Z')
/** A clock inside of that span. */
export const TEST_NOW = new Date('2025-01-01T00:00:00Z')

let serial = 1

/** Issues a certificate with real keys and a real signature, as broken as the request wants it. */
export async function issueCertificate(request: CertificateRequest): Promise<IssuedCertificate> {
  const wanted = request.key ?? { kind: 'ec' }
  const keys = 'publicKey' in wanted ? wanted : await makeKeyPair(wanted)
  const hash = 'publicKey' in wanted ? 'SHA-256' : (wanted.hash ?? 'SHA-256')
  const certificate = new Certificate()
  certificate.version = 2
  certificate.serialNumber = new asn1js.Integer({ value: serial++ })
  certificate.notBefore.value = request.notBefore ?? TEST_NOT_BEFORE
  certificate.notAfter.value = request.notAfter ?? TEST_NOT_AFTER
  setName(certificate.subject, request.subject)
  setName(certificate.issuer, request.issuer?.subject ?? request.subject)
  await certificate.subjectPublicKeyInfo.importKey(keys.publicKey)
  certificate.extensions = extensionsOf(request)
  if (certificate.extensions.length === 0) Reflect.deleteProperty(certificate, 'extensions')
  request.alter?.(certificate)
  await certificate.sign((request.issuer?.keys ?? keys).privateKey, request.issuer?.hash ?? hash)
  const der = new Uint8Array(certificate.toSchema(true).toBER())
  return { der, pem: toPem(der), subject: request.subject, keys, hash }
}

/** A root, an intermediate under it and a leaf, all sound. */
export async function issueChain(leaf: Partial<CertificateRequest> = {}): Promise<{
  readonly root: IssuedCertificate
  readonly intermediate: IssuedCertificate
  readonly leaf: IssuedCertificate
}> {
  const keyUsage = ['keyCertSign', 'cRLSign'] as const
  const root = await issueCertificate({ subject: 'Root', ca: true, keyUsage })
  const intermediate = await issueCertificate({
    subject: 'Intermediate',
    issuer: root,
    ca: true,
    pathLen: 0,
    keyUsage,
  })
  const issued = await issueCertificate({
    subject: 'Attestation key',
    issuer: intermediate,
    keyUsage: ['digitalSignature'],
    ...leaf,
  })
  return { root, intermediate, leaf: issued }
}

export function toPem(der: Uint8Array, label = 'CERTIFICATE'): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

export async function makeKeyPair(key: TestKey): Promise<CryptoKeyPair> {
  const algorithm =
    key.kind === 'ec'
      ? { name: 'ECDSA', namedCurve: key.curve ?? 'P-256' }
      : {
          name: key.kind === 'rsa' ? 'RSASSA-PKCS1-v1_5' : 'RSA-PSS',
          hash: key.hash ?? 'SHA-256',
          modulusLength: key.bits ?? 2048,
          publicExponent: new Uint8Array([1, 0, 1]),
        }
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

/** AlgorithmIdentifier by object identifier, for `alter`. */
export function algorithm(oid: string): AlgorithmIdentifier {
  return new AlgorithmIdentifier({ algorithmId: oid })
}

function setName(name: RelativeDistinguishedNames, text: string): void {
  if (text === '') {
    // The library would write an empty set into it, which no Name has. RFC 5280 §4.1.2.4
    name.valueBeforeDecode = Uint8Array.of(0x30, 0).buffer
    return
  }
  name.typesAndValues.push(
    new AttributeTypeAndValue({
      type: '2.5.4.3',
      value: new asn1js.Utf8String({ value: text }),
    }),
  )
}

function extensionsOf(request: CertificateRequest): Extension[] {
  const extensions: Extension[] = []
  const add = (oid: string, critical: boolean, extnValue: ArrayBuffer) =>
    extensions.push(new Extension({ extnID: oid, critical, extnValue }))
  if (request.withoutBasicConstraints !== true) {
    const constraints = new BasicConstraints({
      cA: request.ca ?? false,
      ...(request.pathLen === undefined ? {} : { pathLenConstraint: request.pathLen }),
    })
    add('2.5.29.19', true, constraints.toSchema().toBER())
  }
  if (request.keyUsage !== undefined) add('2.5.29.15', true, keyUsageBits(request.keyUsage))
  if (request.extendedKeyUsage !== undefined) {
    const purposes = new ExtKeyUsage({ keyPurposes: [...request.extendedKeyUsage] })
    add('2.5.29.37', false, purposes.toSchema().toBER())
  }
  for (const { oid, critical, value } of request.extensions ?? []) {
    add(oid, critical, new Uint8Array(value).buffer)
  }
  return extensions
}

function keyUsageBits(usages: readonly TestKeyUsage[]): ArrayBuffer {
  const bits = usages.reduce((sum, usage) => sum | (0x8000 >> KEY_USAGES.indexOf(usage)), 0)
  const octets = (bits & 0xff) === 0 ? [bits >> 8] : [bits >> 8, bits & 0xff]
  const last = octets.at(-1) ?? 0
  const unusedBits = last === 0 ? 0 : 31 - Math.clz32(last & -last)
  return new asn1js.BitString({ valueHex: new Uint8Array(octets).buffer, unusedBits }).toBER()
}

/** authorityInfoAccess with one caIssuers. RFC 5280 §4.2.2.1 */
export function caIssuers(url: string): TestExtension {
  const der = (tag: number, ...parts: readonly Uint8Array[]) => {
    const content = Buffer.concat(parts)
    return Buffer.concat([Uint8Array.of(tag, content.length), content])
  }
  const method = Buffer.from('06082b06010505073002', 'hex')
  const value = der(0x30, der(0x30, method, der(0x86, Buffer.from(url))))
  return { oid: '1.3.6.1.5.5.7.1.1', critical: false, value }
}

/** For what only the public half of is needed. */
export async function publicPair(key: KeyObject): Promise<CryptoKeyPair> {
  const { kty, n, e } = key.export({ format: 'jwk' }) as JsonWebKey
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const jwk = { kty, n, e } as JsonWebKey
  const publicKey = await crypto.subtle.importKey('jwk', jwk, algorithm, true, ['verify'])
  return { publicKey, privateKey: publicKey }
}
