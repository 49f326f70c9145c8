/** Writes DER by hand, so that certificates can be made exactly as odd as a test needs them. */

export function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  const size = body.length
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

export const sequence = (...parts: readonly Uint8Array[]) => tlv(0x30, ...parts)
export const set = (...parts: readonly Uint8Array[]) => tlv(0x31, ...parts)
export const octetString = (content: Uint8Array) => tlv(0x04, content)
export const bitString = (content: Uint8Array, unused = 0) =>
  tlv(0x03, Buffer.from([unused]), content)
export const boolean = (value: boolean) => tlv(0x01, Buffer.from([value ? 0xff : 0]))
/** Of its octets, as they are: big-endian two's complement. */
export const integer = (octets: readonly number[], tag = 0x02) => tlv(tag, Buffer.from(octets))
export const utcTime = (text: string) => tlv(0x17, Buffer.from(text))
export const generalizedTime = (text: string) => tlv(0x18, Buffer.from(text))

export function oid(dotted: string, tag = 0x06): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const octets = [first * 40 + second, ...rest].flatMap((arc) => {
    const septets = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) septets.unshift((left & 0x7f) | 0x80)
    return septets
  })
  return tlv(tag, Buffer.from(octets))
}

export const STRING_TAGS = {
  utf8: 0x0c,
  printable: 0x13,
  teletex: 0x14,
  ia5: 0x16,
  universal: 0x1c,
  bmp: 0x1e,
} as const

export type StringKind = keyof typeof STRING_TAGS

export function string(kind: StringKind, text: string): Buffer {
  return tlv(STRING_TAGS[kind], encodeText(kind, text))
}

function encodeText(kind: StringKind, text: string): Buffer {
  if (kind === 'bmp') return Buffer.from(text, 'utf16le').swap16()
  if (kind !== 'universal') return Buffer.from(text, kind === 'utf8' ? 'utf8' : 'latin1')
  const units = Array.from(text, (character) => character.codePointAt(0) ?? 0)
  const bytes = Buffer.alloc(units.length * 4)
  for (const [at, unit] of units.entries()) bytes.writeUInt32BE(unit, at * 4)
  return bytes
}

export type AttributeText = readonly [type: string, kind: StringKind, text: string]

/** A Name of one attribute in each relative name. */
export const name = (...attributes: readonly AttributeText[]) =>
  sequence(...attributes.map(([type, kind, text]) => set(sequence(oid(type), string(kind, text)))))

export const extension = (type: string, critical: boolean, value: Uint8Array) =>
  sequence(oid(type), ...(critical ? [boolean(true)] : []), octetString(value))
