import { readFileSync } from 'node:fs'
import { DIGEST_BYTES, type HashAlgorithm } from '../../base/digest.ts'
import { fromHex, fromUtf8File } from '../../base/encoding.ts'
import { parseJson } from '../../base/json/parse.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { PcrBank } from '../../evidence/tpm/pcr.ts'
import { UsageError } from '../framework/arguments.ts'
import type { InspectionFailure } from './failure.ts'

/** A file as it is: what is in it is for the parsers to judge, which have limits of their own. */
export function readBytes(path: string | undefined, what: string): Uint8Array {
  if (path === undefined) throw new UsageError(`${what} is missing`)
  try {
    return readFileSync(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${error.code})` : ''
    throw new UsageError(`cannot read ${path}${code}`)
  }
}

/** JSON that we are told to believe, such as a key set: anything else is a wrong command line. */
export function readJsonFile(path: string | undefined, what: string): unknown {
  const json = parseFile(readBytes(path, what))
  if (json === undefined) throw new UsageError(`${path} is not JSON`)
  return json
}

/** `{"sha256": {"0": "hex", …}, …}`; members that name no bank are left alone. */
export function readPcrFile(
  path: string,
  bank?: HashAlgorithm,
): Result<readonly PcrBank[], InspectionFailure> {
  const json = parseFile(readBytes(path, '--pcrs'))
  if (typeof json !== 'object' || json === null) return malformed('the file')
  const banks: PcrBank[] = []
  for (const [name, values] of Object.entries(json)) {
    if (!isBank(name)) continue
    const read = readBank(name, values)
    if (!read.ok) return read
    banks.push(read.value)
  }
  if (banks.length === 0) return malformed('the file')
  const asked = banks.filter(({ algorithm }) => bank === undefined || algorithm === bank)
  if (asked.length === 0) throw new UsageError(`${path} has no PCRs of ${bank}`)
  return ok(asked)
}

export function isBank(name: string): name is HashAlgorithm {
  return Object.hasOwn(DIGEST_BYTES, name)
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
