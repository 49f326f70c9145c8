import type { KeyObject } from 'node:crypto'
import * as asn1js from 'asn1js'
import * as pkijs from 'pkijs'
import { digest } from '../digest.ts'
import { toBase64, toHex } from '../encoding.ts'
import type { AttestationKeyIssuer } from './virtual-device.ts'

/** A certificate authority for the attestation keys of virtual devices. */
export type AkAuthority = {
  /** The root certificate: what AK_TRUST_ANCHORS of a service takes. */
  readonly anchorPem: string
  readonly issue: AttestationKeyIssuer
}

const OID = {
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  /** tcg-kp-AIKCertificate. TCG Credential Profile EK §3.2 */
  attestationKeyPurpose: '2.23.133.8.3',
} as const

const SIGNING = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const ROOT_NAME = 'Countersign simulator AK root'
const KEY_USAGE = { digitalSignature: 0x80, certificateSigning: 0x04 } as const
const DAY_MS = 86_400_000
const LIFETIME_DAYS = { root: 3650, leaf: 365 } as const

/** Makes a new authority with a self-signed root that is valid from a day before `now`. */
export async function createAkAuthority(now: Date): Promise<AkAuthority> {
  const engine = new pkijs.CryptoEngine({ name: 'node', crypto })
  const keys = await crypto.subtle.generateKey(SIGNING, false, ['sign', 'verify'])
  let serial = 1
  const sign = async (certificate: pkijs.Certificate, days: number): Promise<Uint8Array> => {
    certificate.version = 2
    certificate.serialNumber = new asn1js.Integer({ value: serial++ })
    certificate.notBefore.value = new Date(now.getTime() - DAY_MS)
    certificate.notAfter.value = new Date(now.getTime() + days * DAY_MS)
    setName(certificate.issuer, ROOT_NAME)
    await certificate.sign(keys.privateKey, 'SHA-256', engine)
    return new Uint8Array(certificate.toSchema(true).toBER())
  }

  const root = new pkijs.Certificate()
  setName(root.subject, ROOT_NAME)
  await root.subjectPublicKeyInfo.importKey(keys.publicKey, engine)
  const rootKeyId = digestKey(root)
  root.extensions = [
    extension(OID.basicConstraints, new pkijs.BasicConstraints({ cA: true, pathLenConstraint: 0 })),
    extension(OID.keyUsage, bits(KEY_USAGE.certificateSigning)),
    extension(OID.subjectKeyIdentifier, new asn1js.OctetString({ valueHex: rootKeyId }), false),
  ]
  const anchorPem = toPem(await sign(root, LIFETIME_DAYS.root))

  const issue = async (key: KeyObject): Promise<Uint8Array> => {
    const leaf = new pkijs.Certificate()
    const spki = key.export({ type: 'spki', format: 'der' })
    leaf.subjectPublicKeyInfo = pkijs.PublicKeyInfo.fromBER(new Uint8Array(spki))
    const keyId = digestKey(leaf)
    setName(leaf.subject, `virtual TPM ${toHex(keyId.subarray(0, 4))}`)
    const purposes = new pkijs.ExtKeyUsage({ keyPurposes: [OID.attestationKeyPurpose] })
    const authority = new pkijs.AuthorityKeyIdentifier({
      keyIdentifier: new asn1js.OctetString({ valueHex: rootKeyId }),
    })
    leaf.extensions = [
      extension(OID.basicConstraints, new pkijs.BasicConstraints({ cA: false })),
      extension(OID.keyUsage, bits(KEY_USAGE.digitalSignature)),
      extension(OID.extendedKeyUsage, purposes, false),
      extension(OID.subjectKeyIdentifier, new asn1js.OctetString({ valueHex: keyId }), false),
      extension(OID.authorityKeyIdentifier, authority, false),
    ]
    return await sign(leaf, LIFETIME_DAYS.leaf)
  }
  return { anchorPem, issue }
}

type Encodable = { toBER(): ArrayBuffer } | { toSchema(): { toBER(): ArrayBuffer } }

function extension(extnID: string, value: Encodable, critical = true): pkijs.Extension {
  const encoded = 'toBER' in value ? value.toBER() : value.toSchema().toBER()
  return new pkijs.Extension({ extnID, critical, extnValue: encoded })
}

/** A KeyUsage of one bit: its position also says how many bits are unused. RFC 5280 §4.2.1.3 */
function bits(mask: number): asn1js.BitString {
  const unusedBits = 31 - Math.clz32(mask & -mask)
  return new asn1js.BitString({ valueHex: Uint8Array.of(mask).buffer, unusedBits })
}

function setName(name: pkijs.RelativeDistinguishedNames, commonName: string): void {
  const value = new asn1js.Utf8String({ value: commonName })
  name.typesAndValues = [new pkijs.AttributeTypeAndValue({ type: OID.commonName, value })]
}

/** RFC 5280 §4.2.1.2: the SHA-1 of the subject public key's bits. */
function digestKey(certificate: pkijs.Certificate): Uint8Array<ArrayBuffer> {
  const key = certificate.subjectPublicKeyInfo.subjectPublicKey.valueBlock.valueHexView
  return new Uint8Array(digest('sha1', key))
}

function toPem(der: Uint8Array): string {
  const lines = toBase64(der).match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
