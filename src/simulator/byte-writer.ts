/**
 * Appends the fields of a binary structure. The mirror of the evidence room's reader, kept apart
 * from it on purpose: the simulator's encoders come from the specifications, not from our parsers.
 * Byte order is in the name because TPM structures are big-endian and boot logs little-endian.
 */
export class ByteWriter {
  readonly #parts: Uint8Array[] = []

  u8(value: number): this {
    return this.bytes(Uint8Array.of(value))
  }

  u16be(value: number): this {
    return this.#number(2, (buffer) => buffer.writeUInt16BE(value))
  }

  u32be(value: number): this {
    return this.#number(4, (buffer) => buffer.writeUInt32BE(value))
  }

  u64be(value: bigint): this {
    return this.#number(8, (buffer) => buffer.writeBigUInt64BE(value))
  }

  u16le(value: number): this {
    return this.#number(2, (buffer) => buffer.writeUInt16LE(value))
  }

  u32le(value: number): this {
    return this.#number(4, (buffer) => buffer.writeUInt32LE(value))
  }

  u64le(value: bigint): this {
    return this.#number(8, (buffer) => buffer.writeBigUInt64LE(value))
  }

  bytes(...parts: readonly Uint8Array[]): this {
    this.#parts.push(...parts)
    return this
  }

  /** A TPM2B: `UINT16` size, then the bytes. TPM 2.0 Part 2 §10.4 */
  sized16be(bytes: Uint8Array): this {
    return this.u16be(bytes.length).bytes(bytes)
  }

  sized32le(bytes: Uint8Array): this {
    return this.u32le(bytes.length).bytes(bytes)
  }

  toBytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts))
  }

  #number(length: number, write: (buffer: Buffer) => void): this {
    const buffer = Buffer.alloc(length)
    write(buffer)
    return this.bytes(buffer)
  }
}

/** UTF-16LE, with the terminating NUL that Windows measures unless `terminate` is false. */
export function toUtf16(text: string, terminate = true): Uint8Array {
  return Buffer.from(terminate ? `${text}\0` : text, 'utf16le')
}
