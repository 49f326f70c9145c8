import { readFileSync } from 'node:fs'
import { importReceiptKeys, type ReceiptKeys } from '../../access/receipt/keys.ts'
import { UsageError } from '../arguments.ts'
import { readBytes, readJsonFile } from '../inspect/files.ts'

const STDIN = 0

/** The text of a receipt from a file, or from standard input by the name `-`. */
export function readReceipt(path: string | undefined): string {
  const bytes = path === '-' ? readFileSync(STDIN) : readBytes(path, 'the receipt file')
  return Buffer.from(bytes).toString('utf8').trim()
}

export async function readReceiptKeys(path: string | undefined): Promise<ReceiptKeys> {
  const keys = await importReceiptKeys(readJsonFile(path, '--jwks'))
  if (!keys.ok) throw new UsageError(`${path} is no usable key set: ${keys.failure.reason}`)
  return keys.value
}

/** The question that was asked; absent if the option is. */
export function readRequest(path: string | undefined): { request?: unknown } {
  return path === undefined ? {} : { request: readJsonFile(path, '--request') }
}
