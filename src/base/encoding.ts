/**
 * Text forms of bytes. Decoders are strict: `undefined` for anything but the exact alphabet.
 *
 * Node's base64 decoder skips what it does not know, so strictness is ours. Of base64url it takes both
 * alphabets and the low byte of wider characters; everything else that it skips is missing in the
 * length of what it decodes. Looking for just these costs a tenth of matching the text with an
 * expression.
 */

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const BYTE_ORDER_MARK = '\uFEFF'
const HEX = /^(?:[0-9a-fA-F]{2})*$/

export function toBase64Url(bytes: Uint8Array): string {
  return view(bytes).toString('base64url')
}

export function toBase64(bytes: Uint8Array): string {
  return view(bytes).toString('base64')
}

export function toHex(bytes: Uint8Array): string {
  return view(bytes).toString('hex')
}

/** RFC 4648 §6 in lower case without padding. */
export function toBase32(bytes: Uint8Array): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
  let text = ''
  let buffer = 0
  let bits = 0
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += alphabet[(buffer >>> bits) & 31]
    }
    buffer &= (1 << bits) - 1
  }
  return bits > 0 ? text + alphabet[(buffer << (5 - bits)) & 31] : text
}

/** How many bytes a text of base64url without padding stands for. */
export function bytesInBase64Url(text: string): number {
  return Math.floor((text.length * 3) / 4)
}

/** RFC 7515 §2: no padding. A length of 1 modulo 4 encodes nothing. */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!mayBeBase64Url(text)) return undefined
  const bytes = Buffer.from(text, 'base64url')
  return bytes.length === bytesInBase64Url(text) ? bytes : undefined
}

/**
 * The text whose UTF-8 stands in base64url. What is decoded on the way is never kept, so that long
 * messages, wrapped several times, do not ask for memory at each layer. Callers cap the length first.
 */
export function textFromBase64Url(text: string): string | undefined {
  if (!mayBeBase64Url(text)) return undefined
  const length = bytesInBase64Url(text)
  if (scratch.length < length) scratch = Buffer.allocUnsafeSlow(length)
  const written = scratch.write(text, 'base64url')
  return written === length ? fromUtf8(scratch.subarray(0, length)) : undefined
}

let scratch = Buffer.allocUnsafeSlow(0)

const WIDER_THAN_A_BYTE = /[\u0100-\uffff]/

function mayBeBase64Url(text: string): boolean {
  if (text.length % 4 === 1 || text.includes('+') || text.includes('/')) return false
  return !WIDER_THAN_A_BYTE.test(text)
}

export function fromBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') === text) return bytes
  return BASE64.test(text) && text.length % 4 === 0 ? bytes : undefined
}

/**
 * Base64 of either alphabet, padded or not, as base64url: what Azure Attestation's protocol sends is
 * written in all of these ways.
 */
export function toBase64UrlAlphabet(text: string): string {
  const unpadded = text.endsWith('=') ? text.replace(/={1,2}$/, '') : text
  return unpadded.replaceAll('+', '-').replaceAll('/', '_')
}

export function fromHex(text: string): Uint8Array | undefined {
  return HEX.test(text) ? Buffer.from(text, 'hex') : undefined
}

export function toUtf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8')
}

/**
 * The one way from bytes to text, whatever they came in: `undefined` when the bytes are not UTF-8
 * (RFC 3629 §3: no overlong form, no surrogate, nothing cut off), never replacement characters. A byte
 * order mark stays in the text as U+FEFF, so that what is sent as JSON with one is no JSON: RFC 8259
 * §8.1 forbids it. Only for files there is `fromUtf8File`.
 */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes)
  } catch {
    return undefined
  }
}

/** The same for a file of the operator's, from which one leading mark is dropped: editors write it. */
export function fromUtf8File(bytes: Uint8Array): string | undefined {
  const text = fromUtf8(bytes)
  return text?.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text
}

/**
 * Whether every form of our databases keeps the text as it is: PostgreSQL has no NUL in text and no
 * half of a surrogate pair in UTF-8. Code points that Unicode has not assigned yet, or never will, are
 * kept: which they are depends on the version of Unicode that a runtime knows.
 */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
