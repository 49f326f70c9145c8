import { err, ok, type Result } from '../../base/result.ts'
import { MAX_JSON_DEPTH, MAX_JSON_VALUES } from '../limits.ts'

/** What can be wrong with a JSON text before anybody asks what it means. */
export const JSON_REASONS = [
  'json_malformed',
  'json_duplicate_member',
  'json_too_deep',
  'json_too_many_values',
] as const

/** `offset` counts UTF-16 code units from the start of the text. */
export type JsonFailure = {
  readonly reason: (typeof JSON_REASONS)[number]
  readonly offset: number
}

/**
 * A JSON value that remembers the exact text it was written as. TPM quotes and enclave reports bind
 * the text on the wire, not its meaning, so `JSON.parse` and `JSON.stringify` would lose what was
 * signed. `text` spans the value without surrounding white space.
 */
export type RawJson =
  | { readonly kind: 'object'; readonly text: string; readonly members: RawMembers }
  | { readonly kind: 'array'; readonly text: string; readonly items: readonly RawJson[] }
  | { readonly kind: 'string'; readonly text: string; readonly value: string }
  | { readonly kind: 'number'; readonly text: string; readonly value: number }
  | { readonly kind: 'boolean'; readonly text: string; readonly value: boolean }
  | { readonly kind: 'null'; readonly text: string }

/** By decoded name, so that no spelling of a name hides a second member behind the first. */
export type RawMembers = ReadonlyMap<string, RawJson>

/**
 * Reads one RFC 8259 text. Unlike `JSON.parse` it refuses a repeated member name: with two
 * `report_signed` members a signer and a verifier could each read another one. Depth and number of
 * values are capped, and every character is looked at a bounded number of times.
 */
export function parseRawJson(text: string): Result<RawJson, JsonFailure> {
  try {
    const scanner = new Scanner(text)
    return ok(scanner.document())
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return err({ reason: error.reason, offset: error.offset })
  }
}

/** Never leaves this file: `parseRawJson` turns it into a `Result`. */
class Unreadable extends Error {
  readonly reason: JsonFailure['reason']
  readonly offset: number

  constructor(reason: JsonFailure['reason'], offset: number) {
    super(reason)
    this.reason = reason
    this.offset = offset
  }
}

const WHITE_SPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 §7 forbids exactly these.
const CONTROL = /[\u0000-\u001f]/
const BACKSLASH = 0x5c
/** Longer strings, which hold logs and certificates, are checked faster by `JSON.parse`. */
const MAX_PLAIN_CHARS = 256

class Scanner {
  readonly #text: string
  #position = 0
  #values = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): RawJson {
    this.#skipSpace()
    const value = this.#value(0)
    this.#skipSpace()
    if (this.#position < this.#text.length) this.#fail('json_malformed')
    return value
  }

  #value(depth: number): RawJson {
    if (depth > MAX_JSON_DEPTH) this.#fail('json_too_deep')
    this.#values += 1
    if (this.#values > MAX_JSON_VALUES) this.#fail('json_too_many_values')
    switch (this.#text[this.#position]) {
      case '{':
        return this.#object(depth)
      case '[':
        return this.#array(depth)
      case '"':
        return this.#string()
      case 't':
        return { kind: 'boolean', text: this.#literal('true'), value: true }
      case 'f':
        return { kind: 'boolean', text: this.#literal('false'), value: false }
      case 'n':
        return { kind: 'null', text: this.#literal('null') }
      default:
        return this.#number()
    }
  }

  #object(depth: number): RawJson {
    const start = this.#position
    const members = new Map<string, RawJson>()
    this.#position += 1
    this.#skipSpace()
    if (!this.#take('}')) {
      do {
        this.#skipSpace()
        const nameAt = this.#position
        const name = this.#string().value
        if (members.has(name)) this.#fail('json_duplicate_member', nameAt)
        this.#skipSpace()
        if (!this.#take(':')) this.#fail('json_malformed')
        this.#skipSpace()
        members.set(name, this.#value(depth + 1))
        this.#skipSpace()
      } while (this.#take(','))
      if (!this.#take('}')) this.#fail('json_malformed')
    }
    return { kind: 'object', text: this.#since(start), members }
  }

  #array(depth: number): RawJson {
    const start = this.#position
    const items: RawJson[] = []
    this.#position += 1
    this.#skipSpace()
    if (!this.#take(']')) {
      do {
        this.#skipSpace()
        items.push(this.#value(depth + 1))
        this.#skipSpace()
      } while (this.#take(','))
      if (!this.#take(']')) this.#fail('json_malformed')
    }
    return { kind: 'array', text: this.#since(start), items }
  }

  #string(): { kind: 'string'; text: string; value: string } {
    const start = this.#position
    if (this.#text[start] !== '"') this.#fail('json_malformed')
    let end = this.#text.indexOf('"', start + 1)
    while (end !== -1 && this.#isEscaped(start, end)) end = this.#text.indexOf('"', end + 1)
    if (end === -1) this.#fail('json_malformed')
    this.#position = end + 1
    const text = this.#since(start)
    const inner = text.slice(1, -1)
    if (inner.length > MAX_PLAIN_CHARS || inner.includes('\\')) {
      return { kind: 'string', text, value: this.#parseString(text, start) }
    }
    if (CONTROL.test(inner)) this.#fail('json_malformed', start)
    return { kind: 'string', text, value: inner }
  }

  /** Each run of backslashes belongs to one quotation mark, so the runs add up to one pass. */
  #isEscaped(start: number, quote: number): boolean {
    let first = quote
    while (first - 1 > start && this.#text.charCodeAt(first - 1) === BACKSLASH) first -= 1
    return (quote - first) % 2 === 1
  }

  #parseString(text: string, start: number): string {
    try {
      return JSON.parse(text)
    } catch {
      return this.#fail('json_malformed', start)
    }
  }

  #number(): RawJson {
    NUMBER.lastIndex = this.#position
    const [text] = NUMBER.exec(this.#text) ?? []
    if (text === undefined) this.#fail('json_malformed')
    this.#position += text.length
    return { kind: 'number', text, value: Number(text) }
  }

  #literal(word: string): string {
    if (!this.#text.startsWith(word, this.#position)) this.#fail('json_malformed')
    this.#position += word.length
    return word
  }

  #skipSpace(): void {
    WHITE_SPACE.lastIndex = this.#position
    WHITE_SPACE.test(this.#text)
    this.#position = WHITE_SPACE.lastIndex
  }

  #take(character: string): boolean {
    if (this.#text[this.#position] !== character) return false
    this.#position += 1
    return true
  }

  #since(start: number): string {
    return this.#text.slice(start, this.#position)
  }

  #fail(reason: JsonFailure['reason'], offset: number = this.#position): never {
    throw new Unreadable(reason, offset)
  }
}
