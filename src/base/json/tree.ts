import { err, ok, type Result } from '../result.ts'
import { closingQuote } from './parse.ts'

/**
 * The one reader of JSON (RFC 8259) that knows where everything stands in the text: lint says it in
 * lines and columns, and the verifier hashes the text of a member as it was on the wire, which
 * `JSON.parse` forgets. Who needs neither takes `parseJson`, which leaves the work to the runtime.
 */

/** One value and where it stands: offsets in UTF-16 units, the end exclusive. Unverified. */
export type JsonNode = JsonObjectNode | JsonArrayNode | JsonStringNode | JsonScalarNode

type Place = { readonly start: number; readonly end: number }

export type JsonObjectNode = Place & { readonly kind: 'object'; readonly members: JsonMembers }
export type JsonArrayNode = Place & { readonly kind: 'array'; readonly items: readonly JsonNode[] }
export type JsonStringNode = Place & { readonly kind: 'string'; readonly value: string }
export type JsonScalarNode = Place &
  (
    | { readonly kind: 'number'; readonly value: number }
    | { readonly kind: 'literal'; readonly value: boolean | null }
  )

/** By decoded name, so that no spelling of a name hides a second member behind the first. */
export type JsonMembers = ReadonlyMap<string, JsonMember>

/** `start` and `end` are those of the quoted name. */
export type JsonMember = Place & { readonly name: string; readonly node: JsonNode }

/** A text, or a part of one, that was read whole. */
export type JsonTree = {
  /** The whole text that all offsets count in. */
  readonly text: string
  /** Where the part begins from which lines and columns are counted. */
  readonly start: number
  readonly root: JsonNode
  /** Members whose name was there already. The last one of a name counts, as for `JSON.parse`. */
  readonly repeated: readonly { readonly name: string; readonly offset: number }[]
}

/** What can be wrong with a JSON text before anybody asks what it means. */
export const JSON_REASONS = [
  'json_malformed',
  'json_duplicate_member',
  'json_too_deep',
  'json_too_many_values',
] as const

/** `offset` counts UTF-16 units from the start of the text; `detail` is for whoever wrote it. */
export type JsonFailure = {
  readonly reason: (typeof JSON_REASONS)[number]
  readonly offset: number
  readonly detail: string
}

export type JsonLimits = {
  /** How many arrays and objects a value may lie in. */
  readonly maxDepth: number
  /** Values of all kinds. Absent: as many as there is room for in a text whose length is capped. */
  readonly maxValues?: number
  /**
   * With two members of one name, a signer and a verifier could each read another one: text that
   * decides about trust refuses them.
   */
  readonly repeatedMembers: 'refuse' | 'report'
  /**
   * Long strings without escapes are put here instead of being searched for control characters,
   * which no string may hold. Whoever asks for this owes a call of `isLegalString` for each of them,
   * but for those whose text was found to be of an alphabet that has none, such as base64url.
   */
  readonly deferLongStringChecks?: Set<JsonStringNode>
}

/**
 * Reads one text. Reading ends at the first mistake, as what follows would be guesswork. Every
 * character is looked at a bounded number of times.
 */
export function readJsonTree(text: string, limits: JsonLimits): Result<JsonTree, JsonFailure> {
  const reader: Reader = { text, limits, at: 0, values: 0, repeated: [] }
  try {
    skipSpace(reader)
    const root = readValue(reader, 0)
    skipSpace(reader)
    if (reader.at < text.length) fail(reader, 'there is more after the end of the document')
    return ok({ text, start: 0, root, repeated: reader.repeated })
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return err(error.failure)
  }
}

/** A value inside of a text as a document of its own, whose lines are counted from its beginning. */
export function subtreeOf({ text, repeated }: JsonTree, root: JsonNode): JsonTree {
  const { start, end } = root
  const inside = repeated.filter(({ offset }) => offset >= start && offset < end)
  return { text, start, root, repeated: inside }
}

/** The plain value, as JSON.parse gives it. */
export function plainValueOf(node: JsonNode): unknown {
  if (node.kind === 'array') return node.items.map(plainValueOf)
  if (node.kind !== 'object') return node.value
  const value: Record<string, unknown> = {}
  for (const [name, { node: member }] of node.members) {
    // Assigning would make `__proto__` something else than a member.
    if (name !== '__proto__') value[name] = plainValueOf(member)
    else Object.defineProperty(value, name, { ...PLAIN, value: plainValueOf(member) })
  }
  return value
}

const PLAIN = { enumerable: true, configurable: true, writable: true }

/** The member of this name, where the node is an object that has it. */
export function memberOf(node: JsonNode | undefined, name: string): JsonMember | undefined {
  return node?.kind === 'object' ? node.members.get(name) : undefined
}

/** Where in the text the given UTF-16 unit of a string's value stands; escapes are longer than 1. */
export function offsetInString(text: string, node: JsonNode, index: number): number {
  let at = node.start + 1
  for (let unit = 0; unit < index && at < node.end - 1; unit++) {
    if (text[at] !== '\\') at += 1
    else at += text[at + 1] === 'u' ? 6 : 2
  }
  return at
}

/** Whether a string whose check was deferred is one of JSON: without control characters. RFC 8259 §7 */
export function isLegalString(text: string, { start, end }: JsonStringNode): boolean {
  return parseString(text, start, end) !== undefined
}

type Reader = {
  readonly text: string
  readonly limits: JsonLimits
  readonly repeated: { name: string; offset: number }[]
  at: number
  values: number
}

/** Never leaves this file: `readJsonTree` turns it into a `Result`. */
class Unreadable extends Error {
  readonly failure: JsonFailure
  constructor(failure: JsonFailure) {
    super(failure.reason)
    this.failure = failure
  }
}

function refuse(reason: JsonFailure['reason'], offset: number, detail: string): never {
  throw new Unreadable({ reason, offset, detail })
}

function fail(reader: Reader, detail: string, offset = reader.at): never {
  refuse('json_malformed', offset, detail)
}

/** The value that begins right here. */
function readValue(reader: Reader, depth: number): JsonNode {
  const { text, at, limits } = reader
  if (depth > limits.maxDepth) {
    refuse('json_too_deep', at, `is nested deeper than ${limits.maxDepth} levels`)
  }
  reader.values += 1
  const { maxValues } = limits
  if (maxValues !== undefined && reader.values > maxValues) {
    refuse('json_too_many_values', at, `has more than ${maxValues} values`)
  }
  switch (text.charCodeAt(at)) {
    case 0x7b:
      return readObject(reader, depth)
    case 0x5b:
      return readArray(reader, depth)
    case 0x22:
      return readString(reader)
    default:
      return readWord(reader)
  }
}

function readObject(reader: Reader, depth: number): JsonNode {
  const { text, limits } = reader
  const start = reader.at
  const members = new Map<string, JsonMember>()
  for (let hasMore = open(reader, '}'); hasMore; hasMore = goOn(reader, '}')) {
    const { at } = reader
    if (text[at] !== '"') fail(reader, 'a member begins with its name in double quotes')
    const { value: name, end } = readString(reader)
    if (members.has(name)) {
      if (limits.repeatedMembers === 'refuse') {
        refuse('json_duplicate_member', at, `the member ${JSON.stringify(name)} is repeated`)
      }
      reader.repeated.push({ name, offset: at })
    }
    skipSpace(reader)
    if (text[reader.at] !== ':') fail(reader, 'a colon is missing after the name of the member')
    reader.at += 1
    skipSpace(reader)
    members.set(name, { name, start: at, end, node: readValue(reader, depth + 1) })
  }
  return { kind: 'object', start, end: reader.at, members }
}

function readArray(reader: Reader, depth: number): JsonNode {
  const start = reader.at
  const items: JsonNode[] = []
  for (let hasMore = open(reader, ']'); hasMore; hasMore = goOn(reader, ']')) {
    items.push(readValue(reader, depth + 1))
  }
  return { kind: 'array', start, end: reader.at, items }
}

/** Steps over the opening bracket, and over the closing one where nothing is between them. */
function open(reader: Reader, close: '}' | ']'): boolean {
  reader.at += 1
  skipSpace(reader)
  if (reader.text[reader.at] !== close) return true
  reader.at += 1
  return false
}

/** Steps over the comma that another item follows, or over the closing bracket. */
function goOn(reader: Reader, close: '}' | ']'): boolean {
  const { text } = reader
  skipSpace(reader)
  const comma = reader.at
  const next = text[comma]
  if (next !== ',' && next !== close) fail(reader, `a comma or ${close} is missing here`)
  reader.at += 1
  if (next === close) return false
  skipSpace(reader)
  if (text[reader.at] === close) {
    fail(reader, `a comma before ${close} is not JSON: delete it`, comma)
  }
  return true
}

/** Above this length the search for the end is the runtime's, which is faster than an expression. */
const MAX_SHORT_CHARS = 256
/** `unescaped` of RFC 8259 §7, in UTF-16 code units. */
const SHORT_STRING = /"[ !#-[\]-\uffff]{0,256}"/y

function readString(reader: Reader): JsonStringNode {
  const { text, at: start, limits } = reader
  SHORT_STRING.lastIndex = start
  if (SHORT_STRING.test(text)) {
    const end = SHORT_STRING.lastIndex
    reader.at = end
    return { kind: 'string', start, end, value: text.slice(start + 1, end - 1) }
  }
  const quote = closingQuote(text, start)
  if (quote === -1) failInString(reader, start)
  const end = quote + 1
  reader.at = end
  const inner = text.slice(start + 1, end - 1)
  const owed = limits.deferLongStringChecks
  if (owed !== undefined && inner.length > MAX_SHORT_CHARS && !inner.includes('\\')) {
    const node: JsonStringNode = { kind: 'string', start, end, value: inner }
    owed.add(node)
    return node
  }
  const value = parseString(text, start, end) ?? failInString(reader, start)
  return { kind: 'string', start, end, value }
}

function parseString(text: string, start: number, end: number): string | undefined {
  try {
    return JSON.parse(text.slice(start, end))
  } catch {
    return undefined
  }
}

const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

/** Says what is wrong with a string that cannot be read. */
function failInString(reader: Reader, start: number): never {
  const { text } = reader
  let at = start + 1
  for (; at < text.length && text[at] !== '"'; at++) {
    if (text.charCodeAt(at) < 0x20) {
      fail(reader, 'a line end, tab or control character in text: write \\n, \\t', at)
    }
    if (text[at] !== '\\') continue
    ESCAPE.lastIndex = at
    if (!ESCAPE.test(text)) fail(reader, 'this escape is not one that JSON has', at)
    at = ESCAPE.lastIndex - 1
  }
  fail(reader, 'this text in double quotes does not end', start)
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y
const WORD = /[A-Za-z]+/y
const LITERALS: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null }

function readWord(reader: Reader): JsonNode {
  const { text, at: start } = reader
  NUMBER.lastIndex = start
  if (NUMBER.test(text)) {
    const end = NUMBER.lastIndex
    reader.at = end
    return { kind: 'number', start, end, value: Number(text.slice(start, end)) }
  }
  WORD.lastIndex = start
  const word = WORD.exec(text)?.[0]
  const value = word !== undefined && Object.hasOwn(LITERALS, word) ? LITERALS[word] : undefined
  if (word === undefined || value === undefined) fail(reader, describeUnexpected(reader))
  reader.at += word.length
  return { kind: 'literal', start, end: reader.at, value }
}

function describeUnexpected({ text, at }: Reader): string {
  if (at >= text.length) return 'the document ends too early'
  const rest = text.slice(at, at + 2)
  if (rest === '//' || rest === '/*' || rest.startsWith('#'))
    return 'JSON has no comments: delete it'
  if (rest.startsWith("'")) return "text stands in double quotes, not in '"
  if (rest.startsWith('\ufeff')) return 'a byte order mark stands here: save the file without it'
  return 'a value is missing here'
}

function skipSpace(reader: Reader): void {
  const { text } = reader
  let unit = text.charCodeAt(reader.at)
  while (unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09) {
    reader.at += 1
    unit = text.charCodeAt(reader.at)
  }
}
