import { fromBase64Url, fromUtf8 } from '../../base/encoding.ts'
import { type Err, err, type Failure, ok, type Result } from '../../base/result.ts'
import { type JsonFailure, parseRawJson, type RawJson, type RawMembers } from './raw-json.ts'

/** What can be wrong with the shape of a message. */
export const MESSAGE_REASONS = [
  'message_too_large',
  'message_encoding_invalid',
  'message_member_missing',
  'message_member_invalid',
  'message_member_too_long',
] as const

/** `member` is the path inside the message, such as `att_data.tpm_att_data.quote`. */
export type MessageFailure = {
  readonly reason: (typeof MESSAGE_REASONS)[number]
  readonly member: string
}

/** Gives the value of a result, or ends the reading with its failure. */
export type Accept<F extends Failure> = <V>(result: Result<V, F>) => V

/**
 * Reads a JSON object of the protocol. Members that nobody asks for are ignored, because newer
 * clients may send more; a member of another type than asked for is refused. Checks with reasons of
 * their own go through `accept`.
 */
export function readMessage<T, F extends Failure = never>(
  name: string,
  bytes: Uint8Array,
  read: (message: MessageReader, accept: Accept<F>) => T,
): Result<T, MessageFailure | JsonFailure | F> {
  const text = fromUtf8(bytes)
  if (text === undefined) return err({ reason: 'message_encoding_invalid', member: name })
  return readMessageText(name, text, read)
}

/** The same of a text that was decoded before. */
export function readMessageText<T, F extends Failure = never>(
  name: string,
  text: string,
  read: (message: MessageReader, accept: Accept<F>) => T,
): Result<T, MessageFailure | JsonFailure | F> {
  const json = parseRawJson(text)
  if (!json.ok) return json
  let refused: Err<F> | undefined
  const accept: Accept<F> = (result) => {
    if (result.ok) return result.value
    refused = result
    throw REFUSED
  }
  try {
    return ok(read(MessageReader.over(json.value, name), accept))
  } catch (error) {
    if (error === REFUSED && refused !== undefined) return refused
    if (!(error instanceof Misshapen)) throw error
    return err({ reason: error.reason, member: error.member })
  }
}

/** Thrown by `accept` and caught by the `readMessage` that made it. */
const REFUSED = Symbol('refused')

/** Never leaves this file: `readMessage` turns it into a `Result`. */
class Misshapen extends Error {
  readonly reason: MessageFailure['reason']
  readonly member: string

  constructor(reason: MessageFailure['reason'], member: string) {
    super(reason)
    this.reason = reason
    this.member = member
  }
}

/** One object of a message. Every method refuses through `readMessage`. */
export class MessageReader {
  /** The object exactly as it stood on the wire. */
  readonly text: string
  readonly #members: RawMembers
  readonly #path: string

  private constructor(text: string, members: RawMembers, path: string) {
    this.text = text
    this.#members = members
    this.#path = path
  }

  static over(json: RawJson, path: string): MessageReader {
    if (json.kind !== 'object') throw new Misshapen('message_member_invalid', path)
    return new MessageReader(json.text, json.members, path)
  }

  has(name: string): boolean {
    return this.#members.has(name)
  }

  object(name: string): MessageReader {
    return MessageReader.over(this.#required(name), this.#at(name))
  }

  optionalObject(name: string): MessageReader | undefined {
    return this.has(name) ? this.object(name) : undefined
  }

  objects(name: string, max: number): readonly MessageReader[] {
    const json = this.#required(name)
    if (json.kind !== 'array') this.fail('message_member_invalid', name)
    if (json.items.length > max) this.fail('message_member_too_long', name)
    return json.items.map((item, index) => MessageReader.over(item, `${this.#at(name)}[${index}]`))
  }

  optionalObjects(name: string, max: number): readonly MessageReader[] {
    return this.has(name) ? this.objects(name, max) : []
  }

  string(name: string, maxChars: number): string {
    const json = this.#required(name)
    if (json.kind !== 'string') this.fail('message_member_invalid', name)
    if (json.value.length > maxChars) this.fail('message_member_too_long', name)
    return json.value
  }

  optionalString(name: string, maxChars: number): string | undefined {
    return this.has(name) ? this.string(name, maxChars) : undefined
  }

  /** BASE64URL without padding (RFC 7515 §2), of at least one byte. */
  bytes(name: string, maxBytes: number): Uint8Array {
    const bytes = this.optionalBytes(name, maxBytes)
    if (bytes === undefined) this.fail('message_member_missing', name)
    return bytes
  }

  /** An empty string is nothing: clients send it for a log or certificate that they do not have. */
  optionalBytes(name: string, maxBytes: number): Uint8Array | undefined {
    const text = this.optionalString(name, Math.ceil((maxBytes * 4) / 3))
    if (text === undefined || text === '') return undefined
    const bytes = fromBase64Url(text)
    if (bytes === undefined) this.fail('message_member_invalid', name)
    return bytes
  }

  /** Each as `bytes` has it; none where the member is absent. */
  optionalByteStrings(name: string, max: number, maxBytes: number): readonly Uint8Array[] {
    if (!this.has(name)) return []
    const json = this.#required(name)
    if (json.kind !== 'array') this.fail('message_member_invalid', name)
    if (json.items.length > max) this.fail('message_member_too_long', name)
    return json.items.map((item, index) => {
      const member = `${name}[${index}]`
      if (item.kind !== 'string') this.fail('message_member_invalid', member)
      if (item.value.length > Math.ceil((maxBytes * 4) / 3)) {
        this.fail('message_member_too_long', member)
      }
      const bytes = fromBase64Url(item.value)
      if (bytes === undefined || bytes.length === 0) this.fail('message_member_invalid', member)
      return bytes
    })
  }

  /** An integer from 0 to `max`. */
  integer(name: string, max: number): number {
    const json = this.#required(name)
    if (json.kind !== 'number' || !Number.isInteger(json.value) || json.value < 0) {
      this.fail('message_member_invalid', name)
    }
    if (json.value > max) this.fail('message_member_invalid', name)
    return json.value
  }

  fail(reason: MessageFailure['reason'], name: string): never {
    throw new Misshapen(reason, this.#at(name))
  }

  #required(name: string): RawJson {
    return this.#members.get(name) ?? this.fail('message_member_missing', name)
  }

  #at(name: string): string {
    return `${this.#path}.${name}`
  }
}
