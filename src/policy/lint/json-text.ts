import { MAX_JSON_DEPTH } from '../limits.ts'

/** One value of a JSON text and where it stands: offsets in UTF-16 units, the end exclusive. */
export type JsonNode = { readonly start: number; readonly end: number } & (
  | { readonly kind: 'object'; readonly members: readonly JsonMember[] }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'literal'; readonly value: boolean | null }
)

/** `start` and `end` are those of the quoted name. */
export type JsonMember = {
  readonly name: string
  readonly start: number
  readonly end: number
  readonly node: JsonNode
}

export type JsonProblem = {
  readonly code: 'json_syntax' | 'json_too_deep' | 'json_member_repeated'
  readonly offset: number
  readonly message: string
}

export type JsonText = {
  /** Absent where the text is no JSON, or too deep. */
  readonly node: JsonNode | undefined
  readonly problems: readonly JsonProblem[]
}

/**
 * Reads JSON (RFC 8259) for the sake of positions. Reading ends at the first mistake of syntax, as
 * what follows would be guesswork; each repeated member is told, and the last one counts.
 */
export function readJsonText(text: string): JsonText {
  const reader: Reader = { text, at: 0, problems: [] }
  try {
    const node = readValue(reader, 0)
    skipSpace(reader)
    if (reader.at < text.length) fail(reader, 'there is more after the end of the document')
    return { node, problems: reader.problems }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return { node: undefined, problems: [...reader.problems, error.problem] }
  }
}

/** The plain value, as JSON.parse gives it. */
export function plainValueOf(node: JsonNode): unknown {
  if (node.kind === 'array') return node.items.map(plainValueOf)
  if (node.kind !== 'object') return node.value
  const value = {}
  for (const { name, node: member } of node.members) {
    // Assigning would make `__proto__` something else than a member.
    Object.defineProperty(value, name, {
      value: plainValueOf(member),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return value
}

/** The last one of this name. */
export function memberOf(node: JsonNode | undefined, name: string): JsonMember | undefined {
  if (node?.kind !== 'object') return undefined
  return node.members.findLast((member) => member.name === name)
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

type Reader = { readonly text: string; at: number; readonly problems: JsonProblem[] }

class Unreadable extends Error {
  readonly problem: JsonProblem
  constructor(problem: JsonProblem) {
    super(problem.message)
    this.problem = problem
  }
}

function fail(reader: Reader, message: string, offset = reader.at): never {
  throw new Unreadable({ code: 'json_syntax', offset, message })
}

function readValue(reader: Reader, depth: number): JsonNode {
  skipSpace(reader)
  const { text, at } = reader
  if (depth > MAX_JSON_DEPTH) {
    const message = `is nested deeper than ${MAX_JSON_DEPTH} levels`
    throw new Unreadable({ code: 'json_too_deep', offset: at, message })
  }
  const next = text[at]
  if (next === '{') return readObject(reader, depth)
  if (next === '[') return readArray(reader, depth)
  if (next === '"') return readString(reader)
  return readWord(reader)
}

function readObject(reader: Reader, depth: number): JsonNode {
  const start = reader.at++
  const members: JsonMember[] = []
  const names = new Set<string>()
  readList(reader, '}', () => {
    const { at, text, problems } = reader
    if (text[at] !== '"') fail(reader, 'a member begins with its name in double quotes')
    const { value: name, end } = readString(reader)
    if (names.has(name)) {
      const message = `the member ${JSON.stringify(name)} is there already: delete one of them`
      problems.push({ code: 'json_member_repeated', offset: at, message })
    }
    names.add(name)
    skipSpace(reader)
    if (text[reader.at] !== ':') fail(reader, 'a colon is missing after the name of the member')
    reader.at++
    members.push({ name, start: at, end, node: readValue(reader, depth + 1) })
  })
  return { kind: 'object', start, end: reader.at, members }
}

function readArray(reader: Reader, depth: number): JsonNode {
  const start = reader.at++
  const items: JsonNode[] = []
  readList(reader, ']', () => items.push(readValue(reader, depth + 1)))
  return { kind: 'array', start, end: reader.at, items }
}

/** What stands between a bracket, which has been read, and the one that closes it. */
function readList(reader: Reader, close: '}' | ']', readItem: () => void): void {
  const { text } = reader
  skipSpace(reader)
  if (text[reader.at] === close) {
    reader.at++
    return
  }
  for (;;) {
    readItem()
    skipSpace(reader)
    const next = text[reader.at]
    if (next !== ',' && next !== close) fail(reader, `a comma or ${close} is missing here`)
    const comma = reader.at++
    if (next === close) return
    skipSpace(reader)
    if (text[reader.at] === close) {
      fail(reader, `a comma before ${close} is not JSON: delete it`, comma)
    }
  }
}

const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

function readString(reader: Reader): Extract<JsonNode, { kind: 'string' }> {
  const { text } = reader
  const start = reader.at++
  for (;;) {
    const next = text[reader.at]
    if (next === '"') break
    if (next === undefined) fail(reader, 'this text in double quotes does not end', start)
    if (next === '\\') skip(reader, ESCAPE, 'this escape is not one that JSON has')
    else if (next < ' ')
      fail(reader, 'a line end, tab or control character in text: write \\n, \\t')
    else reader.at++
  }
  const end = ++reader.at
  return { kind: 'string', start, end, value: JSON.parse(text.slice(start, end)) }
}

function skip(reader: Reader, pattern: RegExp, mistake: string): void {
  pattern.lastIndex = reader.at
  if (!pattern.test(reader.text)) fail(reader, mistake)
  reader.at = pattern.lastIndex
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y
const WORD = /[A-Za-z]+/y
const LITERALS: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null }

function readWord(reader: Reader): JsonNode {
  const { text, at: start } = reader
  NUMBER.lastIndex = start
  const number = NUMBER.exec(text)?.[0]
  if (number !== undefined) {
    reader.at += number.length
    return { kind: 'number', start, end: reader.at, value: Number(number) }
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

const SPACE = /[ \t\n\r]*/y

function skipSpace(reader: Reader): void {
  SPACE.lastIndex = reader.at
  SPACE.test(reader.text)
  reader.at = SPACE.lastIndex
}
