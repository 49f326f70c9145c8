/**
 * What holds for every JSON text before it is parsed, whoever sent it. Nothing here recurses: depth
 * is in the hands of whoever wrote the text, and what is parsed below this depth can be walked,
 * compared and written again by code that does recurse.
 */

/** Arrays and objects in one another. Everything that we read or Azure sends has less than 20. */
export const MAX_JSON_DEPTH = 64

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** The value of an RFC 8259 text; `undefined` for what is none, or is nested too deep. Unverified. */
export function parseJson(text: string): unknown {
  if (measureJson(text) === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * How many members are written in a JSON text: each colon outside of a string belongs to one.
 * `undefined` when it is nested deeper than `MAX_JSON_DEPTH`. Of a text that is no JSON it says
 * nothing.
 */
export function measureJson(text: string): { readonly members: number } | undefined {
  let members = 0
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = closingQuote(text, at)
        if (at === -1) return { members }
        break
      case COLON:
        members += 1
        break
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        depth += 1
        if (depth > MAX_JSON_DEPTH) return undefined
        break
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        depth -= 1
        break
    }
  }
  return { members }
}

/**
 * Where the string that begins at `start` has its closing quotation mark; -1 where it has none. Each
 * run of backslashes belongs to one quotation mark, so that the runs add up to one pass.
 */
export function closingQuote(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let first = end
    while (text.charCodeAt(first - 1) === BACKSLASH) first -= 1
    if ((end - first) % 2 === 0) return end
  }
  return -1
}

const SUSPECT = /\\u(?:0000|d[89a-f])/i
/** Outside of strings a backslash is no JSON, so each of these begins where an escape does. */
const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|[\s\S])/g

/**
 * Whether a name or string of a JSON text, which was decoded from UTF-8, stands for text that
 * `isStorableText` refuses. Raw characters cannot: a NUL has to be escaped in JSON (RFC 8259 §7), and
 * no UTF-8 gives half a surrogate pair.
 */
export function hasUnstorableText(text: string): boolean {
  if (!text.includes('\\') || !SUSPECT.test(text)) return false
  let high = -1
  for (const { index, 1: hex, 0: written } of text.matchAll(ESCAPE)) {
    const unit = hex === undefined ? -1 : Number.parseInt(hex, 16)
    const isLow = unit >= 0xdc00 && unit <= 0xdfff
    // A pair is two escapes without anything between them.
    const isPaired = high !== -1 && high === index
    if (unit === 0 || isLow !== isPaired || (high !== -1 && !isPaired)) return true
    high = unit >= 0xd800 && unit <= 0xdbff ? index + written.length : -1
  }
  return high !== -1
}
