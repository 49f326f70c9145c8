import type { KeyObject } from 'node:crypto'
import * as asn1js from 'asn1js'
import * as pkijs from 'pkijs'
import { digest } from '../base/digest.ts'
import { toBase64, toHex } from '../base/encoding.ts'
import type { AttestationKeyIssuer, EndorsementKeyIssuer } from './virtual-device.ts'
import { toWebKey } from './web-key.ts'

/** A certificate authority for the keys of virtual devices. */
export type AkAuthority = {
  /** The root certificate: what AK_TRUST_ANCHORS or EK_TRUST_ANCHORS of a service takes. */
  readonly anchorPem: string
  /** For attestation keys; with the machine, if told, as TCG's certificates of such keys name it. */
  readonly issue: AttestationKeyIssuer
  /** For endorsement keys, as makers of TPMs do. */
  readonly endorse: EndorsementKeyIssuer
}

const OID = {
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  /** tcg-kp-AIKCertificate. TCG Credential Profile EK §3.2 */
  attestationKeyPurpose: '2.23.133.8.3',
  endorsementKeyPurpose: '2.23.133.8.1',
  /** tcg-at-tpmManufacturer, tcg-at-tpmModel and tcg-at-tpmVersion. */
  tpmAttributes: ['2.23.133.2.1', '2.23.133.2.2', '2.23.133.2.3'],
  /** id-on-hardwareModuleName (RFC 4108 §5), of the type TPM 2.0. */
  hardwareModuleName: '1.3.6.1.5.5.7.8.4',
  tpm20: '2.23.133.1.2',
} as const

const SIGNING = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const ROOT_NAME = 'Countersign simulator AK root'
const KEY_USAGE = {
  digitalSignature: 0x80,
  keyEncipherment: 0x20,
  certificateSigning: 0x04,
} as const
const DAY_MS = 86_400_000
const LIFETIME_DAYS = { root: 3650, leaf: 365 } as const

/**
 * Makes a new authority with a self-signed root that is valid from a day before `now`. With a key,
 * which is RSA, it makes the same certificates each time.
 */
export async function createAkAuthority(now: Date, key?: KeyObject): Promise<AkAuthority> {
  const engine = new pkijs.CryptoEngine({ name: 'node', crypto })
  const keys =
    key === undefined
      ? await crypto.subtle.generateKey(SIGNING, false, ['sign', 'verify'])
      : { privateKey: await toWebKey(key, 'RS256'), publicKey: await importPublicKey(key) }
  let issued = 0
  const sign = async (certificate: pkijs.Certificate, days: number): Promise<Uint8Array> => {
    issued += 1
    certificate.version = 2
    certificate.serialNumber =
      key === undefined ? new asn1js.Integer({ value: issued }) : serialOf(certificate)
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

  const certify = async (
    key: KeyObject,
    leafOf: { usage: number; purpose: string; names: asn1js.BaseBlock[] },
  ): Promise<Uint8Array> => {
    const leaf = new pkijs.Certificate()
    const spki = key.export({ type: 'spki', format: 'der' })
    leaf.subjectPublicKeyInfo = pkijs.PublicKeyInfo.fromBER(new Uint8Array(spki))
    const keyId = digestKey(leaf)
    setName(leaf.subject, `virtual TPM ${toHex(keyId.subarray(0, 4))}`)
    const authority = new pkijs.AuthorityKeyIdentifier({
      keyIdentifier: new asn1js.OctetString({ valueHex: rootKeyId }),
    })
    const { usage, purpose, names } = leafOf
    const purposes = new pkijs.ExtKeyUsage({ keyPurposes: [purpose] })
    const alternativeNames = new asn1js.Sequence({ value: names })
    leaf.extensions = [
      extension(OID.basicConstraints, new pkijs.BasicConstraints({ cA: false })),
      extension(OID.keyUsage, bits(usage)),
      extension(OID.extendedKeyUsage, purposes, false),
      extension(OID.subjectKeyIdentifier, new asn1js.OctetString({ valueHex: keyId }), false),
      extension(OID.authorityKeyIdentifier, authority, false),
      ...(names.length === 0 ? [] : [extension(OID.subjectAltName, alternativeNames, false)]),
    ]
    return await sign(leaf, LIFETIME_DAYS.leaf)
  }
  return {
    anchorPem,
    issue: (key, machine) =>
      certify(key, {
        usage: KEY_USAGE.digitalSignature,
        purpose: OID.attestationKeyPurpose,
        names: machine === undefined ? [] : [hardwareModuleName(machine)],
      }),
    endorse: (key) =>
      certify(key, {
        usage: KEY_USAGE.keyEncipherment,
        purpose: OID.endorsementKeyPurpose,
        names: [tpmModel()],
      }),
  }
}

/** The same for the same key, whatever was certified before. */
function serialOf(certificate: pkijs.Certificate): asn1js.Integer {
  const bytes = digestKey(certificate).slice(0, 8)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return new asn1js.Integer({ valueHex: bytes.buffer })
}

function importPublicKey(key: KeyObject): Promise<CryptoKey> {
  const { kty, n, e } = key.export({ format: 'jwk' }) as JsonWebKey
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  return crypto.subtle.importKey('jwk', { kty, n, e } as JsonWebKey, algorithm, true, ['verify'])
}

/** The otherName of a GeneralName, RFC 5280 §4.2.1.6: the type, and in [0] what it says. */
function hardwareModuleName(machine: string): asn1js.BaseBlock {
  const serial = new asn1js.OctetString({ valueHex: new TextEncoder().encode(machine) })
  const type = new asn1js.ObjectIdentifier({ value: OID.tpm20 })
  return tagged(0, [
    new asn1js.ObjectIdentifier({ value: OID.hardwareModuleName }),
    tagged(0, [new asn1js.Sequence({ value: [type, serial] })]),
  ])
}

/** The directoryName of a GeneralName. */
function tpmModel(): asn1js.BaseBlock {
  const name = new pkijs.RelativeDistinguishedNames({
    typesAndValues: OID.tpmAttributes.map((type) => {
      const value = new asn1js.Utf8String({ value: 'id:00000000' })
      return new pkijs.AttributeTypeAndValue({ type, value })
    }),
  })
  return tagged(4, [name.toSchema()])
}

function tagged(tagNumber: number, value: asn1js.BaseBlock[]): asn1js.BaseBlock {
  return new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber }, value })
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
