import { DIGEST_BYTES } from '../../base/digest.ts'
import type { Result } from '../../base/result.ts'
import { type ParseFailure, parse } from '../bytes.ts'
import { HASH_IDS, hashAlgorithmOf } from './algorithms.ts'
import {
  MAX_ATTEST_BYTES,
  MAX_PLATFORM_STATEMENT_BYTES,
  MAX_SIGNATURE_BYTES,
  PLATFORM_PCRS,
} from './limits.ts'
import type { PcrBank } from './pcr.ts'

/** `TPLA` in memory, little-endian as every number of the header. */
export const PLATFORM_STATEMENT_MAGIC = 0x414c5054
export const PLATFORM_STATEMENT_VERSION = 0

/** What Windows' NCryptCreateClaim(NCRYPT_CLAIM_PLATFORM) returns. Unverified: see `verifyQuote`. */
export type PlatformStatement = {
  /** TPMT_SIGNATURE over `quote`. */
  readonly signature: Uint8Array
  /** TPMS_ATTEST. */
  readonly quote: Uint8Array
  /** All 24 PCRs of one bank, whatever the quote covers. */
  readonly pcrs: PcrBank
}

/** Parses a NCRYPT_TPM_PLATFORM_ATTESTATION_STATEMENT of version 0 (ncrypt.h). */
export function parsePlatformStatement(bytes: Uint8Array): Result<PlatformStatement, ParseFailure> {
  const structure = 'NCRYPT_TPM_PLATFORM_ATTESTATION_STATEMENT'
  return parse(structure, bytes, MAX_PLATFORM_STATEMENT_BYTES, (reader) => {
    reader.onlyU32le(PLATFORM_STATEMENT_MAGIC, 'Magic', 'TPLA in this order')
    reader.onlyU32le(PLATFORM_STATEMENT_VERSION, 'Version')
    const algorithm =
      hashAlgorithmOf(reader.u32le('pcrAlg')) ?? reader.fail('unexpected_value', 'pcrAlg', HASH_IDS)
    const signatureBytes = reader.capped(
      reader.u32le('cbSignature'),
      MAX_SIGNATURE_BYTES,
      'cbSignature',
    )
    const quoteBytes = reader.capped(reader.u32le('cbQuote'), MAX_ATTEST_BYTES, 'cbQuote')
    const pcrBytes = DIGEST_BYTES[algorithm]
    const all = `${PLATFORM_PCRS} PCRs of ${pcrBytes} bytes`
    reader.onlyU32le(PLATFORM_PCRS * pcrBytes, 'cbPcrs', all)
    const signature = reader.bytes(signatureBytes, 'Signature')
    const quote = reader.bytes(quoteBytes, 'Quote')
    const values = new Map<number, Uint8Array>()
    for (let index = 0; index < PLATFORM_PCRS; index++) {
      values.set(index, reader.bytes(pcrBytes, 'Pcrs'))
    }
    return { signature, quote, pcrs: { algorithm, values } }
  })
}
