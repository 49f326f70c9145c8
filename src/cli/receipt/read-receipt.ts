import { importReceiptKeys, type ReceiptKeys } from '../../access/receipt/keys.ts'
import { UsageError } from '../framework/arguments.ts'
import { readJudgedText } from '../framework/read-text.ts'
import { readJsonFile } from '../inspect/files.ts'

/** The text of a receipt from a file, or from standard input by the name `-`. */
export function readReceipt(path: string | undefined): string {
  return readJudgedText(path, 'the receipt file')
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
