import { MAX_DER_DEPTH, MAX_DER_NODES, MAX_OID_BYTES } from './limits.ts'

/** Identifier octets of the ASN.1 types that certificates are made of. X.690 §8.1.2 */
export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** One decoded ASN.1 value. `raw` has the identifier and the length before `content`. */
export type DerNode = {
  /** The identifier octet; tag numbers above 30 do not occur. */
  readonly tag: number
  readonly raw: Uint8Array
  readonly content: Uint8Array
  /** Of constructed values only. */
  readonly children: readonly DerNode[]
  /** Dotted decimal, of object identifiers only. */
  readonly oid: string | undefined
}

/** Thrown by the readers of this folder and turned into a `Result` by their exported callers. */
export class MalformedDer extends Error {
  readonly field: string

  constructor(field: string) {
    super(field)
    this.field = field
  }
}

/**
 * Decodes exactly one ASN.1 value that fills `bytes`, with bounded depth and number of values.
 *
 * Lengths must be definite and as short as they can be (X.690 §10.1), and padded object identifiers
 * are refused: by such freedom two parsers see two certificates in the same bytes.
 */
export function decodeDer(bytes: Uint8Array, field: string): DerNode {
  // Not as a `Buffer`, whose parts would be buffers too.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  const reader = new DerReader(plain, field)
  const node = reader.read(0, bytes.length, 0)
  if (node.raw.length !== bytes.length) throw new MalformedDer(`${field}: trailing bytes`)
  return node
}

class DerReader {
  readonly #bytes: Uint8Array
  readonly #field: string
  #nodes = 0

  constructor(bytes: Uint8Array, field: string) {
    this.#bytes = bytes
    this.#field = field
  }

  /** The value that begins at `start`, within what ends at `end`. */
  read(start: number, end: number, depth: number): DerNode {
    this.#nodes += 1
    if (depth > MAX_DER_DEPTH || this.#nodes > MAX_DER_NODES) throw new MalformedDer(this.#field)
    const tag = this.#bytes[start]
    if (!tag || start >= end || (tag & 0x1f) === 0x1f) {
      throw new MalformedDer(this.#field)
    }
    const [from, length] = this.#readLength(start + 1, end)
    const to = from + length
    if (to > end) throw new MalformedDer(this.#field)
    const content = this.#bytes.subarray(from, to)
    return {
      tag,
      raw: this.#bytes.subarray(start, to),
      content,
      children: (tag & CONSTRUCTED) === 0 ? [] : this.#readChildren(from, to, depth + 1),
      oid: tag === DER.objectIdentifier ? toDotted(content, this.#field) : undefined,
    }
  }

  #readChildren(start: number, end: number, depth: number): DerNode[] {
    const children: DerNode[] = []
    let at = start
    while (at < end) {
      const child = this.read(at, end, depth)
      children.push(child)
      at += child.raw.length
    }
    return children
  }

  /** Where the content begins and how long it is. X.690 §8.1.3, §10.1 */
  #readLength(at: number, end: number): readonly [from: number, length: number] {
    const first = at < end ? this.#bytes[at] : undefined
    if (first === undefined) throw new MalformedDer(this.#field)
    if (first < 0x80) return [at + 1, first]
    const octets = first & 0x7f
    if (octets === 0 || octets > MAX_LENGTH_OCTETS || at + 1 + octets > end) {
      throw new MalformedDer(this.#field)
    }
    const length = this.#bytes
      .subarray(at + 1, at + 1 + octets)
      .reduce((sum, octet) => sum * 256 + octet, 0)
    const shortest = length < 0x80 ? 0 : Math.ceil((32 - Math.clz32(length)) / 8)
    if (octets !== shortest)
      throw new MalformedDer(`${this.#field}: not the distinguished encoding`)
    return [at + 1 + octets, length]
  }
}

const CONSTRUCTED = 0x20
/** Lengths below 16 MiB; every caller has a lower limit of its own. */
const MAX_LENGTH_OCTETS = 3

/** Refuses padded subidentifiers, which would give one identifier several spellings. X.690 §8.19 */
function toDotted(content: Uint8Array, field: string): string {
  if (content.length > MAX_OID_BYTES) throw new MalformedDer(field)
  const arcs: bigint[] = []
  let value = 0n
  let atStart = true
  for (const octet of content) {
    if (atStart && octet === 0x80) throw new MalformedDer(field)
    value = value * 128n + BigInt(octet & 0x7f)
    atStart = octet < 0x80
    if (!atStart) continue
    arcs.push(value)
    value = 0n
  }
  const [first, ...more] = arcs
  if (!atStart || first === undefined) throw new MalformedDer(field)
  const top = first < 80n ? first / 40n : 2n
  return [top, first - top * 40n, ...more].join('.')
}

/** Takes the members of a SEQUENCE in order. */
export class DerFields {
  readonly #nodes: readonly DerNode[]
  #position = 0

  constructor(node: DerNode, field: string) {
    if (node.tag !== DER.sequence) throw new MalformedDer(field)
    this.#nodes = node.children
  }

  next(tag: number, field: string): DerNode {
    const node = this.optional(tag)
    if (node === undefined) throw new MalformedDer(field)
    return node
  }

  /** The next member when it has this tag. */
  optional(tag: number): DerNode | undefined {
    const node = this.#nodes[this.#position]
    if (node?.tag !== tag) return undefined
    this.#position += 1
    return node
  }

  /** Whatever comes next, of any type. */
  any(field: string): DerNode {
    const node = this.#nodes[this.#position]
    if (node === undefined) throw new MalformedDer(field)
    this.#position += 1
    return node
  }

  get remaining(): number {
    return this.#nodes.length - this.#position
  }

  end(field: string): void {
    if (this.remaining > 0) throw new MalformedDer(field)
  }
}

/** An INTEGER that is not negative, without the sign octet. X.690 §8.3 */
export function readUnsigned(node: DerNode, field: string): Uint8Array {
  const [first, second] = node.content
  if (node.tag !== DER.integer || first === undefined || first >= 0x80)
    throw new MalformedDer(field)
  if (first !== 0 || second === undefined) return node.content
  if (second < 0x80) throw new MalformedDer(field)
  return node.content.subarray(1)
}

/** A small INTEGER that is not negative. Sizes that nothing real has are refused. */
export function readSmall(node: DerNode, field: string): number {
  const octets = readUnsigned(node, field)
  if (octets.length > MAX_SMALL_OCTETS) throw new MalformedDer(field)
  return octets.reduce((sum, octet) => sum * 256 + octet, 0)
}

const MAX_SMALL_OCTETS = 4

/** The members of a SEQUENCE OF that must not be empty. */
export function readList(value: Uint8Array, field: string): readonly DerNode[] {
  const node = decodeDer(value, field)
  if (node.tag !== DER.sequence || node.children.length === 0) throw new MalformedDer(field)
  return node.children
}

/** A BIT STRING of whole octets. */
export function readOctetsOfBits(node: DerNode, field: string): Uint8Array {
  if (node.tag !== DER.bitString || node.content[0] !== 0) throw new MalformedDer(field)
  return node.content.subarray(1)
}

/**
 * A BOOLEAN. Strict about TRUE, since DER has one; FALSE may be written out where DER omits the
 * default, as some EK certificates do.
 */
export function readBoolean(node: DerNode, field: string): boolean {
  const [value] = node.content
  if (node.content.length !== 1 || (value !== 0 && value !== 0xff)) throw new MalformedDer(field)
  return value === 0xff
}

export function readOid(node: DerNode, field: string): string {
  if (node.oid === undefined) throw new MalformedDer(field)
  return node.oid
}
