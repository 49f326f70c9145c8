import type { Result } from '../../base/result.ts'
import { type ByteReader, type ParseFailure, parse, showNumber } from '../bytes.ts'
import {
  MAX_ATTEST_BYTES,
  MAX_DIGEST_BYTES,
  MAX_EXTRA_DATA_BYTES,
  MAX_NAME_BYTES,
} from './limits.ts'
import type { PcrSelection } from './pcr.ts'
import { readPcrSelections } from './pcr-selection.ts'

/** TPM_GENERATED_VALUE: a restricted key signs nothing from outside that starts like this. Part 2 §6.2 */
export const ATTEST_MAGIC = 0xff544347
/** TPM_ST of the attestations that are read. TPM 2.0 Part 2 §6.9 */
export const ATTEST_TAG = { certify: 0x8017, quote: 0x8018 } as const

/** TPMS_QUOTE_INFO. TPM 2.0 Part 2 §10.12.4 */
export type QuoteInfo = {
  readonly kind: 'quote'
  readonly selections: readonly PcrSelection[]
  readonly pcrDigest: Uint8Array
}

/** TPMS_CERTIFY_INFO. TPM 2.0 Part 2 §10.12.3 */
export type CertifyInfo = {
  readonly kind: 'certify'
  readonly name: Uint8Array
  readonly qualifiedName: Uint8Array
}

/**
 * TPMS_ATTEST, TPM 2.0 Part 2 §10.12.12. Unverified: anybody can write one, only a signature by a
 * key that is known to be a restricted TPM key makes it a TPM's statement.
 */
export type TpmsAttest = {
  /** Qualified Name of the signing key. */
  readonly qualifiedSigner: Uint8Array
  /** The qualifying data (nonce) that the caller gave to the TPM; at most 66 bytes. */
  readonly extraData: Uint8Array
  readonly clockInfo: ClockInfo
  readonly firmwareVersion: bigint
  readonly attested: QuoteInfo | CertifyInfo
}

/** TPMS_CLOCK_INFO. `clock` in milliseconds. For keys outside the endorsement and platform
 * hierarchies the TPM obfuscates the counters and `firmwareVersion`. TPM 2.0 Part 2 §10.11.1 */
export type ClockInfo = {
  readonly clock: bigint
  readonly resetCount: number
  readonly restartCount: number
  /** No greater clock value was reported before. */
  readonly safe: boolean
}

/** Parses a TPMS_ATTEST of type quote or certify; every other type is `unexpected_value`. */
export function parseTpmsAttest(bytes: Uint8Array): Result<TpmsAttest, ParseFailure> {
  return parse('TPMS_ATTEST', bytes, MAX_ATTEST_BYTES, (reader) => {
    if (reader.u32be('magic') !== ATTEST_MAGIC) {
      reader.fail('unexpected_value', 'magic', '0xff544347: TPM_GENERATED_VALUE')
    }
    const readAttested = attestedReader(reader)
    return {
      qualifiedSigner: reader.sized16be(MAX_NAME_BYTES, 'qualifiedSigner'),
      extraData: reader.sized16be(MAX_EXTRA_DATA_BYTES, 'extraData'),
      clockInfo: readClockInfo(reader),
      firmwareVersion: reader.u64be('firmwareVersion'),
      attested: readAttested(reader),
    }
  })
}

function attestedReader(reader: ByteReader): (reader: ByteReader) => QuoteInfo | CertifyInfo {
  const type = reader.u16be('type')
  if (type === ATTEST_TAG.quote) return readQuoteInfo
  if (type === ATTEST_TAG.certify) return readCertifyInfo
  const { quote, certify } = ATTEST_TAG
  const expected = `${showNumber(quote, 2)}: a quote, or ${showNumber(certify, 2)}: a certification`
  return reader.fail('unexpected_value', 'type', expected)
}

function readClockInfo(reader: ByteReader): ClockInfo {
  return {
    clock: reader.u64be('clock'),
    resetCount: reader.u32be('resetCount'),
    restartCount: reader.u32be('restartCount'),
    safe: readYesNo(reader, 'safe'),
  }
}

/** TPMI_YES_NO has two values and no others. TPM 2.0 Part 2 §9.2 */
function readYesNo(reader: ByteReader, field: string): boolean {
  const value = reader.u8(field)
  if (value > 1) reader.fail('unexpected_value', field, '0 or 1')
  return value === 1
}

function readQuoteInfo(reader: ByteReader): QuoteInfo {
  return {
    kind: 'quote',
    selections: readPcrSelections(reader),
    pcrDigest: reader.sized16be(MAX_DIGEST_BYTES, 'pcrDigest'),
  }
}

function readCertifyInfo(reader: ByteReader): CertifyInfo {
  return {
    kind: 'certify',
    name: reader.sized16be(MAX_NAME_BYTES, 'name'),
    qualifiedName: reader.sized16be(MAX_NAME_BYTES, 'qualifiedName'),
  }
}
