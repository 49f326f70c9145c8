import { type Err, err, ok, type Result } from '../../base/result.ts'
import { type ParseFailure, parse } from '../bytes.ts'
import { parseCertificate } from '../x509/certificate.ts'
import { readPemBlocks } from '../x509/pem.ts'
import { readSubjectPublicKey } from '../x509/public-key.ts'
import { type RsaPublicKey, toRsaPublicKey } from '../x509/rsa-public-key.ts'
import {
  MAX_IDKS_BYTES,
  MAX_IDKS_EXPONENT_BYTES,
  MAX_IDKS_MODULUS_BYTES,
  MAX_KEY_FILE_BYTES,
} from './limits.ts'

/** Why a file does not give the key of a report. */
export const REPORT_KEY_REASONS = ['report_key_unreadable', 'report_key_too_large'] as const

export type ReportKeyFailure = { readonly reason: (typeof REPORT_KEY_REASONS)[number] }

const RSA = 1

/**
 * Parses the payload of SIPAEVENT_VSM_IDKS_INFO (0x00050023), the public identity signing key of
 * the secure kernel: u32le algorithm, bit length, exponent length, modulus length, then exponent
 * and modulus big-endian. Nothing is said of where the bytes came from: only an event of a log that
 * replays to quoted PCRs makes the key trustworthy.
 */
export function parseIdks(bytes: Uint8Array): Result<RsaPublicKey, ParseFailure> {
  return parse('VSM_IDKS_INFO', bytes, MAX_IDKS_BYTES, (reader) => {
    reader.onlyU32le(RSA, 'KeyAlgID', 'RSA')
    const bits = reader.u32le('KeyBitLength')
    const exponentBytes = reader.capped(
      reader.u32le('PublicExpLengthBytes'),
      MAX_IDKS_EXPONENT_BYTES,
      'PublicExpLengthBytes',
    )
    const modulusBytes = reader.capped(
      reader.u32le('ModulusSizeBytes'),
      MAX_IDKS_MODULUS_BYTES,
      'ModulusSizeBytes',
    )
    if (bits !== modulusBytes * 8) {
      reader.fail(
        'unexpected_value',
        'KeyBitLength',
        `${modulusBytes * 8}: 8 times ModulusSizeBytes`,
      )
    }
    const exponent = reader.bytes(exponentBytes, 'PublicExponent')
    const key = toRsaPublicKey(reader.bytes(modulusBytes, 'Modulus'), exponent)
    return (
      key ??
      reader.fail('unexpected_value', 'Modulus', 'an odd number of 2048 to 4096 bits, big-endian')
    )
  })
}

/**
 * Reads the key that a report is to be checked with from a file in any usual form: a certificate
 * (PEM or DER, such as the health certificate of the Host Guardian Service), a SubjectPublicKeyInfo
 * (PEM or DER) or a VSM_IDKS_INFO payload. The key is as trustworthy as the file: a certificate's
 * signature and dates are not looked at.
 */
export function readReportKey(bytes: Uint8Array): Result<RsaPublicKey, ReportKeyFailure> {
  if (bytes.length > MAX_KEY_FILE_BYTES) return err({ reason: 'report_key_too_large' })
  const pem = readPem(bytes)
  const key = pem === undefined ? readBinaryKey(bytes) : readDerKey(pem)
  return key === undefined ? unreadable() : ok(key)
}

function readPem(bytes: Uint8Array): Uint8Array | undefined {
  const blocks = readPemBlocks(Buffer.from(bytes).toString('latin1'))
  const block = blocks?.find(({ label }) => label === 'CERTIFICATE' || label === 'PUBLIC KEY')
  return block?.bytes
}

function readBinaryKey(bytes: Uint8Array): RsaPublicKey | undefined {
  const idks = parseIdks(bytes)
  return idks.ok ? idks.value : readDerKey(bytes)
}

function readDerKey(der: Uint8Array): RsaPublicKey | undefined {
  const certificate = parseCertificate(der)
  const key = readSubjectPublicKey(certificate.ok ? certificate.value.spki : der)
  return key.ok && key.value.kty === 'RSA' ? key.value : undefined
}

function unreadable(): Err<ReportKeyFailure> {
  return err({ reason: 'report_key_unreadable' })
}
