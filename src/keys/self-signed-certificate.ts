import { BitString, Integer, Utf8String } from 'asn1js'
import {
  AttributeTypeAndValue,
  BasicConstraints,
  Certificate,
  CryptoEngine,
  Extension,
} from 'pkijs'

const COMMON_NAME = '2.5.4.3'
const KEY_USAGE = '2.5.29.15'
const BASIC_CONSTRAINTS = '2.5.29.19'
const YEARS = 10

/** Clocks of those who read the certificate may be behind ours. */
const BACKDATED_MS = 24 * 3600 * 1000

/**
 * A self-signed certificate around a signing key (DER). Of the attestation key, because Azure
 * Attestation publishes its keys as certificates and its clients take them from there; it certifies
 * nothing: whoever reads it trusts the place it was read from. Of an authority, as the end of the
 * paths that it makes, which are one certificate long.
 */
export async function createSelfSignedCertificate(input: {
  readonly commonName: string
  readonly keys: CryptoKeyPair
  /** At least 8 random bytes. */
  readonly serial: Uint8Array
  /** Whether the key signs certificates, instead of anything else. */
  readonly authority: boolean
  readonly now: Date
}): Promise<Uint8Array> {
  const { commonName, keys, serial, authority, now } = input
  const engine = new CryptoEngine({ name: 'webcrypto', crypto: globalThis.crypto })
  const certificate = new Certificate()
  certificate.version = 2
  certificate.serialNumber = serialNumber(serial)
  for (const name of [certificate.subject, certificate.issuer]) {
    const value = new Utf8String({ value: commonName })
    name.typesAndValues.push(new AttributeTypeAndValue({ type: COMMON_NAME, value }))
  }
  certificate.notBefore.value = wholeSeconds(now.getTime() - BACKDATED_MS)
  certificate.notAfter.value = wholeSeconds(now.getTime() + YEARS * 365 * 24 * 3600 * 1000)
  certificate.extensions = authority
    ? [pathsOfOne(), keyUsage('certificateSigning')]
    : [keyUsage('digitalSignature')]
  await certificate.subjectPublicKeyInfo.importKey(keys.publicKey, engine)
  await certificate.sign(keys.privateKey, 'SHA-256', engine)
  return new Uint8Array(certificate.toSchema(true).toBER(false))
}

/** RFC 5280 §4.1.2.2: positive. The first bit off and the second on, so no byte is superfluous. */
export function serialNumber(random: Uint8Array): Integer {
  const [first = 0] = random
  const number = Uint8Array.from(random)
  number[0] = (first & 0x7f) | 0x40
  return new Integer({ valueHex: number.buffer })
}

/** RFC 5280 §4.2.1.3: bit 0 or bit 5 of one byte, and how many bits after it are unused. */
const USAGES = {
  digitalSignature: { bits: 0x80, unusedBits: 7 },
  certificateSigning: { bits: 0x04, unusedBits: 2 },
} as const

export function keyUsage(name: keyof typeof USAGES): Extension {
  const { bits, unusedBits } = USAGES[name]
  const usage = new BitString({ valueHex: Uint8Array.of(bits).buffer, unusedBits })
  return new Extension({ extnID: KEY_USAGE, critical: true, extnValue: usage.toBER(false) })
}

function pathsOfOne(): Extension {
  const constraints = new BasicConstraints({ cA: true, pathLenConstraint: 0 })
  const extnValue = constraints.toSchema().toBER(false)
  return new Extension({ extnID: BASIC_CONSTRAINTS, critical: true, extnValue })
}

export function wholeSeconds(time: number): Date {
  return new Date(Math.floor(time / 1000) * 1000)
}
