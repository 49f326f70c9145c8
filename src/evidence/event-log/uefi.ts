import type { Result } from '../../base/result.ts'
import { type ByteReader, type ParseFailure, parse } from '../bytes.ts'
import { MAX_EVENT_BYTES, MAX_UEFI_VARIABLE_NAME_CHARS } from './limits.ts'

/** A variable as the firmware measured it. As trustworthy as the event that it was read from. */
export type UefiVariable = {
  /** Vendor GUID in its text form, lower case. */
  readonly vendor: string
  readonly name: string
  /** A view of the event's data. */
  readonly data: Uint8Array
}

/** Vendors of the variables that define Secure Boot. UEFI 2.10 §3.3, §32.6.1 */
export const UEFI_GLOBAL_VARIABLE = '8be4df61-93ca-11d2-aa0d-00e098032b8c'
export const UEFI_IMAGE_SECURITY_DATABASE = 'd719b2cb-3d3a-4596-a3bc-dad00e67656f'

/** UEFI_VARIABLE_DATA, little-endian; the name in UTF-16 without a terminator. PFP §10.2.6 */
export function parseUefiVariable(data: Uint8Array): Result<UefiVariable, ParseFailure> {
  return parse('UEFI_VARIABLE_DATA', data, MAX_EVENT_BYTES, (reader) => {
    const vendor = readGuid(reader)
    const nameChars = readLength(reader, MAX_UEFI_VARIABLE_NAME_CHARS, 'unicodeNameLength')
    const dataBytes = readLength(reader, MAX_EVENT_BYTES, 'variableDataLength')
    const name = utf16(reader.bytes(2 * nameChars, 'unicodeName'))
    if (name === undefined) return reader.fail('unexpected_value', 'unicodeName', 'text in UTF-16')
    return { vendor, name, data: reader.bytes(dataBytes, 'variableData') }
  })
}

/** UTF-16LE text; `undefined` for half a character or half a surrogate pair. */
export function utf16(bytes: Uint8Array): string | undefined {
  if (bytes.length % 2 !== 0) return undefined
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf16le')
  return text.isWellFormed() ? text : undefined
}

function readLength(reader: ByteReader, max: number, field: string): number {
  const length = reader.u64le(field)
  if (length > BigInt(max)) reader.fail('length_over_limit', field, `at most ${max}`)
  return Number(length)
}

/** EFI_GUID: three little-endian numbers, then eight bytes in order. */
function readGuid(reader: ByteReader): string {
  const first = hex(reader.u32le('vendor'), 8)
  const second = hex(reader.u16le('vendor'), 4)
  const third = hex(reader.u16le('vendor'), 4)
  const rest = Buffer.from(reader.bytes(8, 'vendor')).toString('hex')
  return `${first}-${second}-${third}-${rest.slice(0, 4)}-${rest.slice(4)}`
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}
