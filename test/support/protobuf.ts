import { ByteReader } from '../../src/evidence/bytes.ts'

/** The fields of one protobuf message by number; a repeated field has several values. */
export type ProtobufFields = ReadonlyMap<number, readonly (bigint | Uint8Array)[]>

/** Reads the wire format (varints and length-delimited fields only) of a trusted test vector. */
export function readProtobuf(bytes: Uint8Array): ProtobufFields {
  const reader = new ByteReader(bytes)
  const fields = new Map<number, (bigint | Uint8Array)[]>()
  while (reader.remaining > 0) {
    const tag = readVarint(reader)
    const value = readValue(reader, Number(tag & 7n))
    const number = Number(tag >> 3n)
    fields.set(number, [...(fields.get(number) ?? []), value])
  }
  return fields
}

/** All values of a length-delimited field. */
export function protobufBytes(fields: ProtobufFields, number: number): Uint8Array[] {
  return (fields.get(number) ?? []).filter((value) => typeof value !== 'bigint')
}

/** The only value of a length-delimited field. */
export function protobufBytesOnce(fields: ProtobufFields, number: number): Uint8Array {
  const [value, ...more] = protobufBytes(fields, number)
  if (value === undefined || more.length > 0)
    throw new TypeError(`field ${number} is not there once`)
  return value
}

/** A varint field; absent means 0, as in proto3. */
export function protobufNumber(fields: ProtobufFields, number: number): number {
  const value = fields.get(number)?.at(-1) ?? 0n
  if (typeof value !== 'bigint') throw new TypeError(`field ${number} is no varint`)
  return Number(value)
}

function readValue(reader: ByteReader, wireType: number): bigint | Uint8Array {
  if (wireType === 0) return readVarint(reader)
  if (wireType === 2) return reader.bytes(Number(readVarint(reader)), 'field')
  throw new TypeError(`wire type ${wireType}`)
}

function readVarint(reader: ByteReader): bigint {
  for (let value = 0n, shift = 0n; ; shift += 7n) {
    const byte = reader.u8('varint')
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return value
  }
}
