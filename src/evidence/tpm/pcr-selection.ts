import type { HashAlgorithm } from '../../base/digest.ts'
import type { Result } from '../../base/result.ts'
import { type ByteReader, type ParseFailure, parse } from '../bytes.ts'
import { readHashAlgorithm } from './algorithms.ts'
import { MAX_PCR_BANKS, MAX_PCR_SELECT_BYTES } from './limits.ts'
import type { PcrSelection } from './pcr.ts'

/** Parses a whole TPML_PCR_SELECTION. TPM 2.0 Part 2 §10.9.7. The result is unverified. */
export function parsePcrSelections(
  bytes: Uint8Array,
): Result<readonly PcrSelection[], ParseFailure> {
  const maxBytes = 4 + MAX_PCR_BANKS * (3 + MAX_PCR_SELECT_BYTES)
  return parse('TPML_PCR_SELECTION', bytes, maxBytes, readPcrSelections)
}

/**
 * Reads a TPML_PCR_SELECTION where it stands. A bank that is listed twice is refused: which of the
 * two the digest covers first would be left to the reader.
 */
export function readPcrSelections(reader: ByteReader): readonly PcrSelection[] {
  const count = reader.capped(reader.u32be('count'), MAX_PCR_BANKS, 'count')
  const seen = new Set<HashAlgorithm>()
  const selections: PcrSelection[] = []
  for (let bank = 0; bank < count; bank++) {
    const algorithm = readHashAlgorithm(reader, 'hash')
    if (seen.has(algorithm)) reader.fail('unexpected_value', 'hash', 'each bank once')
    seen.add(algorithm)
    selections.push({ algorithm, indexes: readPcrBitmap(reader) })
  }
  return selections
}

/** `UINT8 sizeofSelect`, then octets whose lowest bit is the lowest PCR. Part 2 §10.6.2 */
function readPcrBitmap(reader: ByteReader): number[] {
  const size = reader.capped(reader.u8('sizeofSelect'), MAX_PCR_SELECT_BYTES, 'sizeofSelect')
  if (size === 0) {
    reader.fail('unexpected_value', 'sizeofSelect', `from 1 to ${MAX_PCR_SELECT_BYTES}`)
  }
  const indexes: number[] = []
  reader.bytes(size, 'pcrSelect').forEach((octet, position) => {
    for (let bit = 0; bit < 8; bit++) {
      if (octet & (1 << bit)) indexes.push(position * 8 + bit)
    }
  })
  return indexes
}
