import { readFileSync, statSync } from 'node:fs'
import { DIGEST_BYTES, type HashAlgorithm } from '../../digest.ts'
import { fromHex } from '../../encoding.ts'
import type { PcrBank } from '../../evidence/tpm/pcr.ts'
import { UsageError } from '../arguments.ts'

/** Larger than any evidence there is: the parsers have tighter limits of their own. */
const MAX_FILE_BYTES = 16 * 1024 * 1024

export function readBytes(path: string | undefined, what: string): Uint8Array {
  if (path === undefined) throw new UsageError(`${what} is missing`)
  try {
    if (statSync(path).size > MAX_FILE_BYTES) throw new UsageError(`${path} is too large`)
    return readFileSync(path)
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`cannot read ${path}`)
  }
}

export function readJsonFile(path: string | undefined, what: string): unknown {
  try {
    return JSON.parse(Buffer.from(readBytes(path, what)).toString('utf8'))
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${path} is not JSON`)
  }
}

/** `{"sha256": {"0": "hex", …}, …}`; members that name no bank are left alone. */
export function readPcrFile(path: string, bank?: string): readonly PcrBank[] {
  const json = readJsonFile(path, '--pcrs')
  if (typeof json !== 'object' || json === null) throw new UsageError(`${path} is not a PCR file`)
  const banks = Object.entries(json)
    .filter(([name]) => isBank(name) && (bank === undefined || bank === name))
    .map(([name, values]) => readBank(path, name, values))
  if (banks.length === 0) throw new UsageError(`${path} has no PCRs of ${bank ?? 'a known bank'}`)
  return banks
}

export function isBank(name: string): name is HashAlgorithm {
  return Object.hasOwn(DIGEST_BYTES, name)
}

function readBank(path: string, name: string, values: unknown): PcrBank {
  if (!isBank(name) || typeof values !== 'object' || values === null) {
    throw new UsageError(`${path}: ${name} must be an object of PCR values`)
  }
  const pcrs = Object.entries(values).map(([index, hex]): [number, Uint8Array] => {
    const digest = typeof hex === 'string' ? fromHex(hex) : undefined
    if (!/^\d{1,2}$/.test(index) || digest?.length !== DIGEST_BYTES[name]) {
      throw new UsageError(`${path}: ${name} ${index} is not a ${name} digest in hexadecimal`)
    }
    return [Number(index), digest]
  })
  return { algorithm: name, values: new Map(pcrs) }
}
