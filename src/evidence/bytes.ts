import { err, ok, type Result } from '../base/result.ts'

/** What can be wrong with the bytes of any binary structure, whatever it means. */
export const PARSE_REASONS = [
  'truncated',
  'trailing_bytes',
  'length_over_limit',
  'unexpected_value',
] as const

export type ParseFailure = {
  readonly reason: (typeof PARSE_REASONS)[number]
  /** The structure as its specification names it, such as `TPMS_ATTEST`. */
  readonly structure: string
  readonly field: string
  /** Offset in the outermost input at which the reader stood. */
  readonly offset: number
  /** Of a boot log: the number of the event that was being read. */
  readonly event?: number
  /** Of an event in a boot log: its PCR. */
  readonly pcrs?: readonly [number]
}

/** Never leaves this file: `parse` turns it into a `Result`. */
class Malformed extends Error {
  readonly reason: ParseFailure['reason']
  readonly field: string
  readonly offset: number

  constructor(reason: ParseFailure['reason'], field: string, offset: number) {
    super(reason)
    this.reason = reason
    this.field = field
    this.offset = offset
  }
}

/**
 * Reads one binary structure from hostile bytes.
 *
 * The size is capped before the first byte is read, `read` may only consume what is there, and
 * bytes left over are refused.
 */
export function parse<T>(
  structure: string,
  bytes: Uint8Array,
  maxBytes: number,
  read: (reader: ByteReader) => T,
): Result<T, ParseFailure> {
  try {
    const reader = new ByteReader(bytes)
    if (bytes.length > maxBytes) reader.fail('length_over_limit', structure)
    const value = read(reader)
    reader.end(structure)
    return ok(value)
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    return err({ reason: error.reason, structure, field: error.field, offset: error.offset })
  }
}

/**
 * A bounded cursor over bytes. Every read checks what remains; a length prefix yields bytes or a
 * reader of exactly that length. Slices are views of the input, not copies. Byte order is in the
 * name because TPM structures are big-endian and boot logs little-endian.
 */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #base: number
  #position = 0

  constructor(bytes: Uint8Array, base = 0) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#base = base
  }

  get remaining(): number {
    return this.#bytes.length - this.#position
  }

  /** Offset in the outermost input. */
  get offset(): number {
    return this.#base + this.#position
  }

  u8(field: string): number {
    return this.#view.getUint8(this.#advance(1, field))
  }

  u16be(field: string): number {
    return this.#view.getUint16(this.#advance(2, field))
  }

  u32be(field: string): number {
    return this.#view.getUint32(this.#advance(4, field))
  }

  u64be(field: string): bigint {
    return this.#view.getBigUint64(this.#advance(8, field))
  }

  u16le(field: string): number {
    return this.#view.getUint16(this.#advance(2, field), true)
  }

  u32le(field: string): number {
    return this.#view.getUint32(this.#advance(4, field), true)
  }

  u64le(field: string): bigint {
    return this.#view.getBigUint64(this.#advance(8, field), true)
  }

  bytes(length: number, field: string): Uint8Array {
    const start = this.#advance(length, field)
    return this.#bytes.subarray(start, start + length)
  }

  /** A reader over the next `length` bytes; its owner must call `end`. */
  sub(length: number, field: string): ByteReader {
    const base = this.offset
    return new ByteReader(this.bytes(length, field), base)
  }

  rest(): Uint8Array {
    return this.bytes(this.remaining, 'rest')
  }

  /** A TPM2B: `UINT16 size` big-endian, then that many bytes, at most `max`. TPM 2.0 Part 2 §10.4 */
  sized16be(max: number, field: string): Uint8Array {
    return this.bytes(this.#capped(this.u16be(field), max, field), field)
  }

  /** `UINT32 size` little-endian, then that many bytes, at most `max`. */
  sized32le(max: number, field: string): Uint8Array {
    return this.bytes(this.#capped(this.u32le(field), max, field), field)
  }

  /** A count or length that was read from the input, refused above `max`. */
  capped(value: number, max: number, field: string): number {
    return this.#capped(value, max, field)
  }

  end(field: string): void {
    if (this.remaining > 0) this.fail('trailing_bytes', field)
  }

  /** `offset`: where the fault is, if not where the reader stands. */
  fail(reason: ParseFailure['reason'], field: string, offset = this.offset): never {
    throw new Malformed(reason, field, offset)
  }

  #capped(value: number, max: number, field: string): number {
    if (value > max) this.fail('length_over_limit', field)
    return value
  }

  #advance(length: number, field: string): number {
    if (length > this.remaining) this.fail('truncated', field)
    const start = this.#position
    this.#position += length
    return start
  }
}
