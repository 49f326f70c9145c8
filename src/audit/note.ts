import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { digest } from '../base/digest.ts'
import { fromBase64, toBase64, toBase64Url, toHex, toUtf8 } from '../base/encoding.ts'
import { err, ok, type Result } from '../base/result.ts'

/*
 * Signed notes and the keys that they are signed with, as C2SP signed-note has them: a text, an empty line,
 * and lines of signatures.
 */

export const NOTE_REASONS = ['note_malformed', 'note_key_malformed'] as const

export type NoteFailure = { readonly reason: (typeof NOTE_REASONS)[number] }

/** As Go's `note` has them. */
const MOST_NOTE_CHARS = 1_000_000
const MOST_SIGNATURES = 100
const MOST_KEY_CHARS = 1000

const KEY_ID_BYTES = 4
const PUBLIC_KEY_BYTES = 32
const SIGNATURE_BYTES = 64

/** "Signature types". */
const ED25519 = 0x01
/** C2SP tlog-cosignature: a time, and a signature over it and the text. */
const COSIGNATURE_V1 = 0x04

export type NoteKeyKind = 'ed25519' | 'cosignature/v1'

/** Whoever signs notes, by the public half of the key. */
export type NoteKey = {
  /** Not empty, and without white space and `+`. */
  readonly name: string
  readonly kind: NoteKeyKind
  /** Of Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
}

/** A note that was taken apart. None of its signatures is verified. */
export type Note = {
  /** Ends with a line feed. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

export type NoteSignature = {
  readonly name: string
  /** 4 bytes, which say which key of that name may have signed. */
  readonly keyId: Uint8Array
  readonly bytes: Uint8Array
}

/** What stands for a signer in a line of signature. */
export function keyIdOf({ name, kind, publicKey }: NoteKey): Uint8Array {
  const type = kind === 'ed25519' ? ED25519 : COSIGNATURE_V1
  const hash = digest('sha256', toUtf8(`${name}\n`), Uint8Array.of(type), publicKey)
  return hash.subarray(0, KEY_ID_BYTES)
}

/** `NAME+KEYID+KEY`: what others verify notes by ("Verifier keys"). */
export function formatNoteKey(key: NoteKey): string {
  const type = key.kind === 'ed25519' ? ED25519 : COSIGNATURE_V1
  const encoded = toBase64(Buffer.concat([Uint8Array.of(type), key.publicKey]))
  return `${key.name}+${toHex(keyIdOf(key))}+${encoded}`
}

/** Reads what `formatNoteKey` writes. */
export function parseNoteKey(text: string): Result<NoteKey, NoteFailure> {
  const refused = err({ reason: 'note_key_malformed' })
  if (text.length > MOST_KEY_CHARS) return refused
  const [, name = '', id = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/su.exec(text) ?? []
  const bytes = fromBase64(encoded)
  if (!isNoteName(name) || bytes?.length !== 1 + PUBLIC_KEY_BYTES) return refused
  const kind = kindOf(bytes[0])
  if (kind === undefined) return refused
  const key = { name, kind, publicKey: bytes.subarray(1) }
  return toHex(keyIdOf(key)) === id ? ok(key) : refused
}

function kindOf(type: number | undefined): NoteKeyKind | undefined {
  if (type === ED25519) return 'ed25519'
  return type === COSIGNATURE_V1 ? 'cosignature/v1' : undefined
}

/** "Key names": not empty, without Unicode spaces and plus signs. Control characters cannot be in a note. */
export function isNoteName(name: string): boolean {
  return name !== '' && !/[\s\u0085+\p{Cc}]/u.test(name) && name.isWellFormed()
}

/** The line of one signature, which ends with a line feed. */
export function formatSignature({ name, keyId, bytes }: NoteSignature): string {
  return `— ${name} ${toBase64(Buffer.concat([keyId, bytes]))}\n`
}

/** A note of a text that ends with a line feed and of its signatures. */
export function formatNote({ text, signatures }: Note): string {
  return `${text}\n${signatures.map(formatSignature).join('')}`
}

/** Reads a signed note, which has at least one signature. */
export function parseNote(note: string): Result<Note, NoteFailure> {
  const refused = err({ reason: 'note_malformed' })
  if (note.length > MOST_NOTE_CHARS || !note.isWellFormed() || hasControls(note)) return refused
  const end = note.lastIndexOf('\n\n')
  if (end < 0 || !note.endsWith('\n')) return refused
  const text = note.slice(0, end + 1)
  const lines = note.slice(end + 2, -1).split('\n')
  if (lines.length > MOST_SIGNATURES) return refused
  const signatures = lines.map(parseSignature)
  return signatures.every((one) => one !== undefined) ? ok({ text, signatures }) : refused
}

function hasControls(note: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them
  return /[\u0000-\u0009\u000b-\u001f]/.test(note)
}

function parseSignature(line: string): NoteSignature | undefined {
  const [, name = '', encoded = ''] = /^— ([^ ]+) ([^ ]+)$/u.exec(line) ?? []
  const bytes = fromBase64(encoded)
  if (!isNoteName(name) || bytes === undefined || bytes.length <= KEY_ID_BYTES) return undefined
  return { name, keyId: bytes.subarray(0, KEY_ID_BYTES), bytes: bytes.subarray(KEY_ID_BYTES) }
}

/** A signature of a key that is right. */
export type VerifiedSignature = {
  readonly key: NoteKey
  /** In seconds, of a cosignature: when the witness saw the checkpoint. */
  readonly time: number | undefined
}

/** The signatures of a note that these keys made; of others nothing is said. */
export function verifySignatures(
  { text, signatures }: Note,
  keys: readonly NoteKey[],
): readonly VerifiedSignature[] {
  return keys.flatMap((key) => {
    const keyId = toHex(keyIdOf(key))
    const verified = signatures
      .filter((one) => one.name === key.name && toHex(one.keyId) === keyId)
      .map((one) => verifySignature(text, key, one.bytes))
      .find((one) => one !== undefined)
    return verified === undefined ? [] : [verified]
  })
}

function verifySignature(
  text: string,
  key: NoteKey,
  bytes: Uint8Array,
): VerifiedSignature | undefined {
  if (key.kind === 'ed25519') {
    return isSignature(key, text, bytes) ? { key, time: undefined } : undefined
  }
  if (bytes.length !== 8 + SIGNATURE_BYTES) return undefined
  const seconds = Buffer.from(bytes).readBigUInt64BE(0)
  if (seconds > BigInt(Number.MAX_SAFE_INTEGER)) return undefined
  const signed = cosignedText(text, Number(seconds))
  return isSignature(key, signed, bytes.subarray(8)) ? { key, time: Number(seconds) } : undefined
}

/** What a witness signs that saw a checkpoint. C2SP tlog-cosignature, "Ed25519 signatures" */
export function cosignedText(text: string, seconds: number): string {
  return `cosignature/v1\ntime ${seconds}\n${text}`
}

function isSignature({ publicKey }: NoteKey, text: string, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false
  return verify(null, toUtf8(text), publicKeyOf(publicKey), signature)
}

function publicKeyOf(bytes: Uint8Array): KeyObject {
  const key = { kty: 'OKP', crv: 'Ed25519', x: toBase64Url(bytes) }
  return createPublicKey({ key, format: 'jwk' })
}
