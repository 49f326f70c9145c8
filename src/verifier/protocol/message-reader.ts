import {
  bytesInBase64Url,
  fromBase64Url,
  textFromBase64Url,
  toBase64UrlAlphabet,
} from '../../base/encoding.ts'
import {
  isLegalString,
  type JsonFailure,
  type JsonMembers,
  type JsonNode,
  type JsonStringNode,
  readJsonTree,
} from '../../base/json/tree.ts'
import { inMember } from '../../base/located.ts'
import { type Err, err, type Failure, ok, type Result } from '../../base/result.ts'
import { MAX_JSON_DEPTH, MAX_JSON_VALUES } from '../limits.ts'

/** What can be wrong with the shape of a message. */
export const MESSAGE_REASONS = [
  'message_too_large',
  'message_encoding_invalid',
  'message_member_missing',
  'message_member_invalid',
  'message_member_too_long',
  'message_member_misplaced',
] as const

/** `member` is the path inside the message, such as `att_data.tpm_att_data.quote`. */
export type MessageFailure = {
  readonly reason: (typeof MESSAGE_REASONS)[number]
  readonly member: string
  readonly expected?: string
}

/** Gives the value of a result, or ends the reading with its failure. */
export type Accept<F extends Failure> = <V>(result: Result<V, F>) => V

/**
 * Reads a JSON object of the protocol. Members that nobody knows are ignored, because newer clients may
 * send more; a member of another type than asked for is refused, and so is one that the protocol has
 * elsewhere (`refuseMisplaced`). Checks with reasons of their own go through `accept`.
 */
export function readMessage<T, F extends Failure = never>(
  name: string,
  text: string,
  read: (message: MessageReader, accept: Accept<F>) => T,
): Result<T, MessageFailure | JsonFailure | F> {
  const owed = new Set<JsonStringNode>()
  const tree = readJsonTree(text, {
    maxDepth: MAX_JSON_DEPTH,
    maxValues: MAX_JSON_VALUES,
    repeatedMembers: 'refuse',
    deferLongStringChecks: owed,
  })
  if (!tree.ok) return inMember(name, tree)
  const result = readRoot(tree.value.root, { name, text, owed }, read)
  for (const string of owed) {
    if (!isLegalString(text, string)) return inMember(name, err(describeIllegal(string)))
  }
  return result
}

function describeIllegal({ start }: JsonStringNode): JsonFailure {
  return { reason: 'json_malformed', offset: start, detail: 'a control character in text' }
}

function readRoot<T, F extends Failure>(
  root: JsonNode,
  { name, ...source }: Source & { readonly name: string },
  read: (message: MessageReader, accept: Accept<F>) => T,
): Result<T, MessageFailure | F> {
  let refused: Err<F> | undefined
  const accept: Accept<F> = (result) => {
    if (result.ok) return result.value
    refused = result
    throw REFUSED
  }
  try {
    return ok(read(MessageReader.over(root, name, source), accept))
  } catch (error) {
    if (error === REFUSED && refused !== undefined) return refused
    if (!(error instanceof Misshapen)) throw error
    return err(error.failure)
  }
}

/** The text of a message, and the long strings in it that nobody has looked through yet. */
type Source = { readonly text: string; readonly owed: Set<JsonStringNode> }

/** Thrown by `accept` and caught by the `readMessage` that made it. */
const REFUSED = Symbol('refused')

/** Never leaves this file: `readMessage` turns it into a `Result`. */
class Misshapen extends Error {
  readonly failure: MessageFailure

  constructor(failure: MessageFailure) {
    super(failure.reason)
    this.failure = failure
  }
}

function isNothing(node: JsonNode): boolean {
  if (node.kind === 'object') return node.members.size === 0
  if (node.kind === 'array') return node.items.length === 0
  return node.kind !== 'number' && (node.value === '' || node.value === null)
}

/** One object of a message. Every method refuses through `readMessage`. */
export class MessageReader {
  readonly #source: Source
  readonly #node: JsonNode
  readonly #members: JsonMembers
  readonly #path: string

  private constructor(source: Source, node: JsonNode, members: JsonMembers, path: string) {
    this.#source = source
    this.#node = node
    this.#members = members
    this.#path = path
  }

  static over(
    node: JsonNode,
    path: string,
    source: Source,
    expected = 'a JSON object',
  ): MessageReader {
    if (node.kind !== 'object') {
      throw new Misshapen({ reason: 'message_member_invalid', member: path, expected })
    }
    return new MessageReader(source, node, node.members, path)
  }

  /**
   * The object exactly as it stood on the wire. TPM quotes and enclave reports bind this text, not
   * its meaning, so to write it anew would lose what was signed.
   */
  get text(): string {
    return this.#source.text.slice(this.#node.start, this.#node.end)
  }

  /** Where this object stands in the message, such as `request.att_data`. */
  get path(): string {
    return this.#path
  }

  has(name: string): boolean {
    return this.#members.has(name)
  }

  /**
   * Refuses members that the protocol has in another place, version or type of message: whoever sends one
   * believes that it is looked at. What is empty or null is nothing here, as serializers write it for what is
   * not there. `expected`: where they belong.
   */
  refuseMisplaced(names: readonly string[], expected?: string): void {
    for (const name of names) {
      const node = this.#members.get(name)?.node
      if (node !== undefined && !isNothing(node))
        this.fail('message_member_misplaced', name, expected)
    }
  }

  /** `expected`: what has to be in it, where that is not plain from its name. */
  object(name: string, expected = 'a JSON object'): MessageReader {
    const node = this.#required(name, expected)
    return MessageReader.over(node, this.at(name), this.#source, expected)
  }

  optionalObject(name: string): MessageReader | undefined {
    return this.has(name) ? this.object(name) : undefined
  }

  objects(name: string, max: number): readonly MessageReader[] {
    return this.#items(name, max).map((item, index) =>
      MessageReader.over(item, `${this.at(name)}[${index}]`, this.#source),
    )
  }

  optionalObjects(name: string, max: number): readonly MessageReader[] {
    return this.has(name) ? this.objects(name, max) : []
  }

  string(name: string, maxChars: number): string {
    return this.#string(this.#required(name, 'a JSON string'), name, maxChars).value
  }

  optionalString(name: string, maxChars: number): string | undefined {
    return this.has(name) ? this.string(name, maxChars) : undefined
  }

  /** BASE64URL without padding (RFC 7515 §2), of at least one byte. */
  bytes(name: string, maxBytes: number): Uint8Array {
    const bytes = this.optionalBytes(name, maxBytes)
    if (bytes === undefined) this.fail('message_member_missing', name, SOME_BYTES)
    return bytes
  }

  /** The same, of exactly so many bytes: a digest written in hexadecimal is not one, however long. */
  fixedBytes(name: string, size: number): Uint8Array {
    const exact = describeBytes(`exactly ${size} bytes`)
    const node = this.#required(name, exact)
    const { value } = this.#string(node, name)
    const bytes = value.length > 2 * size ? undefined : this.#bytes(node, name, 2 * size)
    if (bytes?.length === size) return bytes
    const isHex = value.length === 2 * size && /^[0-9a-f]+$/i.test(value)
    const form = describeBytes(`exactly ${size} bytes (${Math.ceil((size * 4) / 3)} characters)`)
    this.fail('message_member_invalid', name, isHex ? `${form}, not hexadecimal` : form)
  }

  /** An empty string is nothing: clients send it for a log or certificate that they do not have. */
  optionalBytes(name: string, maxBytes: number): Uint8Array | undefined {
    if (!this.has(name)) return undefined
    const bytes = this.#bytes(this.#required(name, SOME_BYTES), name, maxBytes)
    return bytes.length === 0 ? undefined : bytes
  }

  /** Each as `bytes` has it; none where the member is absent. */
  optionalByteStrings(name: string, max: number, maxBytes: number): readonly Uint8Array[] {
    if (!this.has(name)) return []
    return this.#items(name, max).map((item, index) => {
      const bytes = this.#bytes(item, `${name}[${index}]`, maxBytes)
      if (bytes.length > 0) return bytes
      return this.fail('message_member_invalid', `${name}[${index}]`, 'at least one byte')
    })
  }

  /** Text in base64 of either alphabet, padded or not: clients and Azure's own samples disagree. */
  encodedText(name: string, limits: { readonly chars: number; readonly bytes: number }): string {
    const encoded64 = 'JSON in UTF-8, encoded as base64'
    const string = this.#string(this.#required(name, encoded64), name, limits.chars)
    const encoded = toBase64UrlAlphabet(string.value)
    if (bytesInBase64Url(encoded) > limits.bytes) {
      this.fail('message_too_large', name, `at most ${limits.bytes} bytes`)
    }
    const text = textFromBase64Url(encoded)
    if (text === undefined) {
      this.fail('message_encoding_invalid', name, encoded64)
    }
    this.#source.owed.delete(string)
    return text
  }

  /** An integer from 0 to `max`. `expected`: which of them, where not each is one that there is. */
  integer(name: string, max: number, expected = `a whole number from 0 to ${max}`): number {
    const json = this.#required(name, expected)
    const isInteger = json.kind === 'number' && Number.isInteger(json.value)
    if (!isInteger || json.value < 0 || json.value > max) {
      this.fail('message_member_invalid', name, expected)
    }
    return json.value
  }

  /** `expected`: what the member should have been, in a few words. */
  fail(reason: MessageFailure['reason'], name: string, expected?: string): never {
    throw new Misshapen({
      reason,
      member: this.at(name),
      ...(expected !== undefined && { expected }),
    })
  }

  /** The path of one of its members, whether it is there or not. */
  at(name: string): string {
    return `${this.#path}.${name}`
  }

  #required(name: string, expected: string): JsonNode {
    return this.#members.get(name)?.node ?? this.fail('message_member_missing', name, expected)
  }

  #items(name: string, max: number): readonly JsonNode[] {
    const json = this.#required(name, 'a JSON array')
    if (json.kind !== 'array') this.fail('message_member_invalid', name, 'a JSON array')
    if (json.items.length > max) {
      this.fail('message_member_too_long', name, `at most ${max} items`)
    }
    return json.items
  }

  #string(node: JsonNode, name: string, maxChars = Number.POSITIVE_INFINITY): JsonStringNode {
    if (node.kind !== 'string') this.fail('message_member_invalid', name, 'a JSON string')
    if (node.value.length > maxChars) {
      this.fail('message_member_too_long', name, `at most ${maxChars} characters`)
    }
    return node
  }

  #bytes(node: JsonNode, name: string, maxBytes: number): Uint8Array {
    const string = this.#string(node, name)
    if (bytesInBase64Url(string.value) > maxBytes) {
      this.fail('message_member_too_long', name, describeBytes(`at most ${maxBytes} bytes`))
    }
    const bytes = fromBase64Url(string.value)
    if (bytes === undefined) this.fail('message_member_invalid', name, describeBytes('bytes'))
    this.#source.owed.delete(string)
    return bytes
  }
}

const SOME_BYTES = describeBytes('at least one byte')

/** RFC 4648 §5, as RFC 7515 §2 writes it. */
function describeBytes(what: string): string {
  return `${what} in base64url without padding`
}
