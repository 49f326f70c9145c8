import { toHex } from '../base/encoding.ts'
import { err, ok, type Result } from '../base/result.ts'
import { plural } from '../base/words.ts'

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
  /**
   * Where the field that is wrong begins in the outermost input, its size included where it has one;
   * for `trailing_bytes` the first of the bytes that are left over.
   */
  readonly offset: number
  /** What the field should have been. */
  readonly expected?: string
  /** What it was. */
  readonly found?: string
  /** Of a boot log: the number of the event that was being read. */
  readonly event?: number
  /** Of an event in a boot log: its PCR. */
  readonly pcrs?: readonly [number]
}

/** What is said of a field that is wrong, beside its name. */
type FieldFault = Pick<ParseFailure, 'expected' | 'found'> & {
  /** Where it begins, for a field that the reader has not read. */
  readonly offset?: number
}

/** Never leaves this file: `parse` turns it into a `Result`. */
class Malformed extends Error {
  readonly failure: Omit<ParseFailure, 'structure'>

  constructor(failure: Omit<ParseFailure, 'structure'>) {
    super(failure.reason)
    this.failure = failure
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
    if (bytes.length > maxBytes) {
      const found = plural(bytes.length, 'byte')
      reader.fail('length_over_limit', structure, {
        expected: `at most ${plural(maxBytes, 'byte')}`,
        found,
      })
    }
    const value = read(reader)
    reader.end(structure)
    return ok(value)
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    const { reason, ...about } = error.failure
    return err({ reason, structure, ...about })
  }
}

/** A number of so many bytes as faults tell it: `0x0018 (24)`. */
export function showNumber(value: number | bigint, bytes: number): string {
  return `0x${value.toString(16).padStart(2 * bytes, '0')} (${value})`
}

/** How bytes were read: as a number of either order, as they are, or behind a size of so many bytes. */
type Form = 'be' | 'le' | 'bytes' | 'sized16' | 'sized32'

const SIZE_BYTES = { bytes: 0, sized16: 2, sized32: 4 } as const
/** A power of two; no structure refuses a field that it read longer ago. */
const REMEMBERED_FIELDS = 16
const SHOWN_BYTES = 32

/**
 * A bounded cursor over bytes. Every read checks what remains; a length prefix yields bytes or a
 * reader of exactly that length. Slices are views of the input, not copies. Byte order is in the
 * name because TPM structures are big-endian and boot logs little-endian.
 *
 * It remembers where the last fields began that it read, so that whoever refuses one names it and
 * need not keep count.
 */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #base: number
  #position = 0
  /** A ring: nothing is made for a field, since a boot log has thousands. */
  readonly #names: string[] = []
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  readonly #forms: Form[] = []
  #reads = 0

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
    return this.#view.getUint8(this.#advance(1, field, 'be'))
  }

  u16be(field: string): number {
    return this.#view.getUint16(this.#advance(2, field, 'be'))
  }

  u32be(field: string): number {
    return this.#view.getUint32(this.#advance(4, field, 'be'))
  }

  u64be(field: string): bigint {
    return this.#view.getBigUint64(this.#advance(8, field, 'be'))
  }

  u16le(field: string): number {
    return this.#view.getUint16(this.#advance(2, field, 'le'), true)
  }

  u32le(field: string): number {
    return this.#view.getUint32(this.#advance(4, field, 'le'), true)
  }

  u64le(field: string): bigint {
    return this.#view.getBigUint64(this.#advance(8, field, 'le'), true)
  }

  /** A number that can have one value only; `meaning` says what it stands for. */
  onlyU32le(value: number, field: string, meaning?: string): void {
    if (this.u32le(field) === value) return
    const shown = showNumber(value, 4)
    this.fail('unexpected_value', field, meaning === undefined ? shown : `${shown}: ${meaning}`)
  }

  bytes(length: number, field: string): Uint8Array {
    const start = this.#advance(length, field, 'bytes')
    return this.#bytes.subarray(start, start + length)
  }

  /** A reader over the next `length` bytes; its owner must call `end`. */
  sub(length: number, field: string): ByteReader {
    const base = this.offset
    return new ByteReader(this.bytes(length, field), base)
  }

  rest(field = 'rest'): Uint8Array {
    return this.bytes(this.remaining, field)
  }

  /** A TPM2B: `UINT16 size` big-endian, then that many bytes, at most `max`. TPM 2.0 Part 2 §10.4 */
  sized16be(max: number, field: string): Uint8Array {
    return this.#sized(this.u16be(field), max, field, 'sized16')
  }

  /** `UINT32 size` little-endian, then that many bytes, at most `max`. */
  sized32le(max: number, field: string): Uint8Array {
    return this.#sized(this.u32le(field), max, field, 'sized32')
  }

  /** A count or length that was read from the input, refused above `max`. */
  capped(value: number, max: number, field: string): number {
    if (value > max) this.fail('length_over_limit', field, `at most ${max}`)
    return value
  }

  end(field: string): void {
    const { remaining, offset } = this
    if (remaining > 0) {
      this.fail('trailing_bytes', field, { offset, found: plural(remaining, 'byte') })
    }
  }

  /**
   * Refuses a field of this name: the last that was read, or else the one that would be read next.
   * `fault`: what it should have been, or whatever else is not known from reading it.
   */
  fail(reason: ParseFailure['reason'], field: string, fault: string | FieldFault = {}): never {
    const told: FieldFault = typeof fault === 'string' ? { expected: fault } : fault
    const slot = told.offset === undefined ? this.#findSlot(field) : undefined
    const start = slot === undefined ? undefined : this.#starts[slot]
    const offset = told.offset ?? (start === undefined ? this.offset : this.#base + start)
    const found = told.found ?? (slot === undefined ? undefined : this.#show(slot))
    throw new Malformed({
      ...{ reason, field, offset },
      ...(told.expected !== undefined && { expected: told.expected }),
      ...(found !== undefined && { found }),
    })
  }

  #sized(length: number, max: number, field: string, form: 'sized16' | 'sized32'): Uint8Array {
    this.capped(length, max, field)
    const start = this.#position - SIZE_BYTES[form]
    this.#require(length, field, start)
    const bytes = this.bytes(length, field)
    const slot = (this.#reads - 1) % REMEMBERED_FIELDS
    this.#starts[slot] = start
    this.#forms[slot] = form
    return bytes
  }

  #advance(length: number, field: string, form: Form): number {
    const start = this.#position
    this.#require(length, field, start)
    this.#position += length
    const slot = this.#reads++ % REMEMBERED_FIELDS
    this.#names[slot] = field
    this.#starts[slot] = start
    this.#ends[slot] = this.#position
    this.#forms[slot] = form
    return start
  }

  /** Refuses a field that begins at `start` and of which not all is there. */
  #require(length: number, field: string, start: number): void {
    const { remaining } = this
    if (length <= remaining) return
    const expected = plural(length, 'byte')
    this.fail('truncated', field, {
      ...{ offset: this.#base + start, expected, found: plural(remaining, 'byte') },
    })
  }

  #findSlot(field: string): number | undefined {
    const oldest = Math.max(0, this.#reads - REMEMBERED_FIELDS)
    for (let read = this.#reads - 1; read >= oldest; read--) {
      if (this.#names[read % REMEMBERED_FIELDS] === field) return read % REMEMBERED_FIELDS
    }
    return undefined
  }

  #show(slot: number): string {
    const form = this.#forms[slot] ?? 'bytes'
    // Copied, because the slice of a Buffer would be a view, and turned over with the input.
    const bytes = Uint8Array.from(this.#bytes.subarray(this.#starts[slot], this.#ends[slot]))
    if (form === 'be' || form === 'le') {
      const ordered = form === 'le' ? bytes.reverse() : bytes
      return showNumber(BigInt(`0x${toHex(ordered)}`), bytes.length)
    }
    const content = bytes.subarray(SIZE_BYTES[form])
    const shown = toHex(content.subarray(0, SHOWN_BYTES))
    const rest = content.length > SHOWN_BYTES ? '…' : ''
    return content.length === 0 ? 'nothing' : `${plural(content.length, 'byte')}: ${shown}${rest}`
  }
}
