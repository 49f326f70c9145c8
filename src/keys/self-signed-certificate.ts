import { BitString, Integer, Utf8String } from 'asn1js'
import { AttributeTypeAndValue, Certificate, CryptoEngine, Extension } from 'pkijs'

const COMMON_NAME = '2.5.4.3'
const KEY_USAGE = '2.5.29.15'
const YEARS = 10

/** Clocks of those who read the certificate may be behind ours. */
const BACKDATED_MS = 24 * 3600 * 1000

/**
 * A self-signed certificate around a signing key (DER), because Azure Attestation publishes its
 * keys as certificates and its clients take them from there. It certifies nothing: whoever reads
 * it trusts the place it was read from.
 */
export async function createSelfSignedCertificate(input: {
  readonly commonName: string
  readonly keys: CryptoKeyPair
  /** At least 8 random bytes. */
  readonly serial: Uint8Array
  readonly now: Date
}): Promise<Uint8Array> {
  const { commonName, keys, serial, now } = input
  const engine = new CryptoEngine({ name: 'webcrypto', crypto: globalThis.crypto })
  const certificate = new Certificate()
  certificate.version = 2
  // RFC 5280 §4.1.2.2: positive. The first bit off and the second on, so no byte is superfluous.
  const [first = 0] = serial
  const number = Uint8Array.from(serial)
  number[0] = (first & 0x7f) | 0x40
  certificate.serialNumber = new Integer({ valueHex: number.buffer })
  for (const name of [certificate.subject, certificate.issuer]) {
    const value = new Utf8String({ value: commonName })
    name.typesAndValues.push(new AttributeTypeAndValue({ type: COMMON_NAME, value }))
  }
  certificate.notBefore.value = wholeSeconds(now.getTime() - BACKDATED_MS)
  certificate.notAfter.value = wholeSeconds(now.getTime() + YEARS * 365 * 24 * 3600 * 1000)
  certificate.extensions = [digitalSignatureOnly()]
  await certificate.subjectPublicKeyInfo.importKey(keys.publicKey, engine)
  await certificate.sign(keys.privateKey, 'SHA-256', engine)
  return new Uint8Array(certificate.toSchema(true).toBER(false))
}

/** RFC 5280 §4.2.1.3: bit 0 of one byte of which seven bits are unused. */
function digitalSignatureOnly(): Extension {
  const usage = new BitString({ valueHex: Uint8Array.of(0x80).buffer, unusedBits: 7 })
  return new Extension({ extnID: KEY_USAGE, critical: true, extnValue: usage.toBER(false) })
}

function wholeSeconds(time: number): Date {
  return new Date(Math.floor(time / 1000) * 1000)
}
