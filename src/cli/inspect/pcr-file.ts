import { DIGEST_BYTES, type HashAlgorithm } from '../../base/digest.ts'
import { fromHex, fromUtf8File } from '../../base/encoding.ts'
import { parseJson } from '../../base/json/parse.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { PcrBank } from '../../evidence/tpm/pcr.ts'
import { readBytes } from '../framework/read-file.ts'
import { UsageError } from '../framework/usage-error.ts'
import type { InspectionFailure } from './failure.ts'

export const BANKS = Object.keys(DIGEST_BYTES) as readonly HashAlgorithm[]

export const PCR_FILE_HELP = 'PCR values to compare with: {"sha256": {"0": "hex", …}, …}'

/** `{"sha256": {"0": "hex", …}, …}`; members that name no bank are left alone. */
export function readPcrFile(
  path: string,
  bank?: HashAlgorithm,
): Result<readonly PcrBank[], InspectionFailure> {
  const json = parseFile(readBytes(path))
  if (typeof json !== 'object' || json === null) return malformed('the file')
  const banks: PcrBank[] = []
  for (const [name, values] of Object.entries(json)) {
    const algorithm = BANKS.find((one) => one === name)
    if (algorithm === undefined) continue
    const read = readBank(algorithm, values)
    if (!read.ok) return read
    banks.push(read.value)
  }
  if (banks.length === 0) return malformed('the file')
  const asked = banks.filter(({ algorithm }) => bank === undefined || algorithm === bank)
  if (asked.length === 0) throw new UsageError(`${path} has no PCRs of ${bank}`)
  return ok(asked)
}

function readBank(algorithm: HashAlgorithm, json: unknown): Result<PcrBank, InspectionFailure> {
  if (typeof json !== 'object' || json === null) return malformed(algorithm)
  const values = new Map<number, Uint8Array>()
  for (const [index, hex] of Object.entries(json)) {
    const digest = typeof hex === 'string' ? fromHex(hex) : undefined
    if (!/^\d{1,2}$/.test(index) || digest?.length !== DIGEST_BYTES[algorithm]) {
      return malformed(`${algorithm} ${index}`)
    }
    values.set(Number(index), digest)
  }
  return ok({ algorithm, values })
}

function malformed(at: string): Result<never, InspectionFailure> {
  return err({ reason: 'pcr_file_malformed', at })
}

function parseFile(bytes: Uint8Array): unknown {
  const text = fromUtf8File(bytes)
  return text === undefined ? undefined : parseJson(text)
}
