import { OctetString, Utf8String } from 'asn1js'
import {
  AttributeTypeAndValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  CryptoEngine,
  Extension,
  ExtKeyUsage,
  GeneralName,
  GeneralNames,
  PublicKeyInfo,
} from 'pkijs'
import { digest } from '../base/digest.ts'
import { fromBase64 } from '../base/encoding.ts'
import { keyUsage, serialNumber, wholeSeconds } from './self-signed-certificate.ts'
import type { SigningKey } from './signing-keys.ts'

const OID = {
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  /** tcg-kp-AIKCertificate. TCG EK Credential Profile §3.2.16 */
  attestationKey: '2.23.133.8.3',
} as const

/** GeneralName: uniformResourceIdentifier. RFC 5280 §4.2.1.6 */
const URI = 6
/** Clocks of those who read the certificate may be behind ours. */
const BACKDATED_MS = 3600 * 1000

/** Signs a certificate for an attestation key with the enrolment authority's key. DER. */
export async function issueEnrolmentCertificate(input: {
  /** Of the use `enrolment`. */
  readonly authority: SigningKey
  /** SubjectPublicKeyInfo of the attestation key. */
  readonly spki: Uint8Array
  readonly commonName: string
  /** What is said of the key: URIs of the subjectAltName. */
  readonly uris: readonly string[]
  /** 16 random bytes. */
  readonly serial: Uint8Array
  readonly now: Date
  readonly notAfter: Date
}): Promise<Uint8Array> {
  const { authority, spki, commonName, uris, serial, now, notAfter } = input
  const issuer = fromBase64(authority.certificate ?? '')
  if (issuer === undefined) throw new TypeError('the enrolment authority has a certificate')
  const ca = Certificate.fromBER(new Uint8Array(issuer))
  const engine = new CryptoEngine({ name: 'webcrypto', crypto: globalThis.crypto })
  const certificate = new Certificate()
  certificate.version = 2
  certificate.serialNumber = serialNumber(serial)
  certificate.issuer = ca.subject
  const value = new Utf8String({ value: commonName })
  certificate.subject.typesAndValues.push(
    new AttributeTypeAndValue({ type: OID.commonName, value }),
  )
  certificate.notBefore.value = wholeSeconds(now.getTime() - BACKDATED_MS)
  certificate.notAfter.value = wholeSeconds(
    Math.min(notAfter.getTime(), ca.notAfter.value.getTime()),
  )
  certificate.subjectPublicKeyInfo = PublicKeyInfo.fromBER(new Uint8Array(spki))
  certificate.extensions = [
    extension(OID.basicConstraints, new BasicConstraints({ cA: false }), true),
    keyUsage('digitalSignature'),
    extension(OID.extendedKeyUsage, new ExtKeyUsage({ keyPurposes: [OID.attestationKey] })),
    extension(OID.subjectAltName, namesOf(uris)),
    extension(OID.subjectKeyIdentifier, keyIdOf(certificate)),
    extension(
      OID.authorityKeyIdentifier,
      new AuthorityKeyIdentifier({ keyIdentifier: keyIdOf(ca) }),
    ),
  ]
  await certificate.sign(authority.privateKey.cryptoKey, 'SHA-256', engine)
  return new Uint8Array(certificate.toSchema(true).toBER(false))
}

function namesOf(uris: readonly string[]): GeneralNames {
  return new GeneralNames({ names: uris.map((value) => new GeneralName({ type: URI, value })) })
}

/** RFC 5280 §4.2.1.2: the SHA-1 of the public key's bits. */
function keyIdOf({ subjectPublicKeyInfo }: Certificate): OctetString {
  const bits = subjectPublicKeyInfo.subjectPublicKey.valueBlock.valueHexView
  return new OctetString({ valueHex: new Uint8Array(digest('sha1', bits)).buffer })
}

type Encodable = { toBER(): ArrayBuffer } | { toSchema(): { toBER(): ArrayBuffer } }

function extension(extnID: string, value: Encodable, critical = false): Extension {
  const extnValue = 'toBER' in value ? value.toBER() : value.toSchema().toBER()
  return new Extension({ extnID, critical, extnValue })
}
