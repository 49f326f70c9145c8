import { type BaseBlock, fromBER, ObjectIdentifier } from 'asn1js'
import { MAX_DER_DEPTH, MAX_DER_NODES } from './limits.ts'

/** Identifier octets of the ASN.1 types that certificates are made of. X.690 §8.1.2 */
export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
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
 * The library accepts BER. Of that, indefinite and overlong lengths are refused here: they are the
 * freedom by which two parsers can see two certificates in the same bytes.
 */
export function decodeDer(bytes: Uint8Array, field: string): DerNode {
  const { offset, result } = decodeBer(bytes, field)
  if (offset === -1 || result.error !== '') throw new MalformedDer(field)
  if (offset !== bytes.length) throw new MalformedDer(`${field}: trailing bytes`)
  return toNode(result, field)
}

/** The library reports most damage in its result and throws for some, odd dates for one. */
function decodeBer(bytes: Uint8Array, field: string): ReturnType<typeof fromBER> {
  try {
    return fromBER(bytes, {
      maxDepth: MAX_DER_DEPTH,
      maxNodes: MAX_DER_NODES,
      maxContentLength: bytes.length,
      parseEmbedded: false,
    })
  } catch {
    throw new MalformedDer(field)
  }
}

function toNode(block: BaseBlock, field: string): DerNode {
  const raw = block.valueBeforeDecodeView
  const { length, isIndefiniteForm, blockLength } = block.lenBlock
  const tag = raw[0]
  if (tag === undefined || (tag & 0x1f) === 0x1f || block.error !== '') {
    throw new MalformedDer(field)
  }
  if (isIndefiniteForm || raw.length !== 1 + blockLength + length || blockLength !== sizeOf(length))
    throw new MalformedDer(`${field}: not the distinguished encoding`)
  const content = raw.subarray(1 + blockLength)
  const children = (tag & 0x20) === 0 ? [] : childrenOf(block, content.length, field)
  return { tag, raw, content, children, oid: oidOf(block, content, field) }
}

/** Octets of the shortest length field. X.690 §10.1 */
function sizeOf(length: number): number {
  if (length < 0x80) return 1
  if (length < 0x100) return 2
  return length < 0x10000 ? 3 : 4
}

function childrenOf(block: BaseBlock, contentLength: number, field: string): DerNode[] {
  const value: unknown = Reflect.get(block.valueBlock, 'value')
  if (!Array.isArray(value)) throw new MalformedDer(field)
  const children = (value as BaseBlock[]).map((child) => toNode(child, field))
  const total = children.reduce((sum, child) => sum + child.raw.length, 0)
  if (total !== contentLength) throw new MalformedDer(field)
  return children
}

/** Refuses padded subidentifiers, which would give one object identifier several spellings. */
function oidOf(block: BaseBlock, content: Uint8Array, field: string): string | undefined {
  if (!(block instanceof ObjectIdentifier)) return undefined
  let atStart = true
  for (const octet of content) {
    if (atStart && octet === 0x80) throw new MalformedDer(field)
    atStart = octet < 0x80
  }
  if (!atStart || content.length === 0) throw new MalformedDer(field)
  return block.valueBlock.toString()
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
