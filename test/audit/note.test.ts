import { generateKeyPairSync, sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatCheckpoint, parseCheckpoint } from '../../src/audit/checkpoint.ts'
import {
  cosignedText,
  formatNote,
  formatNoteKey,
  keyIdOf,
  type NoteKey,
  parseNote,
  parseNoteKey,
  verifySignatures,
} from '../../src/audit/note.ts'
import { fromBase64Url, toBase64 } from '../../src/base/encoding.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

/** The example of the documentation of golang.org/x/mod/sumdb/note. */
const KEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
const NOTE = `If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
`

/** What the checksum database of Go served on 2026-11-28 at /latest, and its published key. */
const SUM_KEY = 'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8'
const SUM_CHECKPOINT = `go.sum database tree
72352793
E3tRbxBMQ62zVhkGypCFzU+3shyRx2xAxGZpNJ1N7mI=

— sum.golang.org Az3grqNXZjLDcf3Sca4OSpDwELlnH/6LrsfZ3edvcrYuf0pMWxaPlphZBX16RH7NkxIr/XxStickVVTnlfBcishEZAU=
`

function newKey(name: string, kind: NoteKey['kind'] = 'ed25519') {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const bytes = fromBase64Url(String(publicKey.export({ format: 'jwk' }).x)) ?? new Uint8Array()
  const key: NoteKey = { name, kind, publicKey: bytes }
  const signText = (text: string) => new Uint8Array(sign(null, Buffer.from(text), privateKey))
  return { key, signText }
}

describe('a signed note', () => {
  test.each([
    ['of the documentation of Go', KEY, NOTE],
    ['of the checksum database of Go', SUM_KEY, SUM_CHECKPOINT],
  ])('%s is verified by its key, and written as it was', (_, encoded, text) => {
    const key = expectOk(parseNoteKey(encoded))
    expect(formatNoteKey(key)).toBe(encoded)
    const note = expectOk(parseNote(text))
    expect(formatNote(note)).toBe(text)
    expect(verifySignatures(note, [key])).toEqual([{ key, time: undefined }])
    const other = expectOk(parseNoteKey(encoded === KEY ? SUM_KEY : KEY))
    expect(verifySignatures(note, [other])).toEqual([])
    expect(verifySignatures({ ...note, text: `${note.text}x\n` }, [key])).toEqual([])
  })

  test('cut short or lengthened anywhere, or with another byte, none is verified', () => {
    const key = expectOk(parseNoteKey(KEY))
    const isVerified = (text: string) => {
      const note = parseNote(text)
      return note.ok && verifySignatures(note.value, [key]).length > 0
    }
    expect(isVerified(NOTE)).toBe(true)
    for (let end = 0; end < NOTE.length; end += 1)
      expect(isVerified(NOTE.slice(0, end))).toBe(false)
    for (const more of ['x', '\n', ' ', '\0', '— x\n']) expect(isVerified(NOTE + more)).toBe(false)
    fc.assert(
      fc.property(
        fc.nat(NOTE.length - 1),
        fc.string({ minLength: 1, maxLength: 1 }),
        (at, other) => {
          fc.pre(NOTE[at] !== other)
          // The last characters of base64 hold bits that say nothing.
          fc.pre(at < NOTE.length - 4)
          expect(isVerified(NOTE.slice(0, at) + other + NOTE.slice(at + 1))).toBe(false)
        },
      ),
    )
  })

  test.each([
    ['nothing', ''],
    ['no signature', 'text\n'],
    ['no signature after the empty line', 'text\n\n'],
    ['no line feed at the end', NOTE.slice(0, -1)],
    ['a control character', NOTE.replace('think', 'th\tink')],
    ['half of a pair of surrogates', NOTE.replace('think', '\ud800')],
    ['a hyphen in place of the dash', NOTE.replace('— ', '- ')],
    ['a key name with a plus sign', NOTE.replace('PeterNeumann', 'Peter+Neumann')],
    ['a signature that is no base64', NOTE.replace('x08go', 'x08g!')],
    ['a signature of no more than a key id', 'text\n\n— a AAAAAA==\n'],
    ['too many signatures', `text\n\n${'— a AAAAAAAA\n'.repeat(101)}`],
    ['a million characters', `${'x'.repeat(1_000_000)}${NOTE}`],
  ])('with %s is refused', (_, text) => {
    expectRefusal(parseNote(text), 'note_malformed')
  })

  test.each([
    ['nothing', ''],
    ['another id', KEY.replace('c74f20a3', 'c74f20a4')],
    ['another name', KEY.replace('Peter', 'Paul')],
    ['an algorithm that is not known', 'a+00000000+AhE='],
    ['a key that is too short', `${KEY.slice(0, -4)}`],
    ['a name with a space', KEY.replace('PeterN', 'Peter N')],
    ['far too much', `${KEY}${'A'.repeat(1000)}`],
  ])('the key of one with %s is refused', (_, text) => {
    expectRefusal(parseNoteKey(text), 'note_key_malformed')
  })

  test('a cosignature says when the witness signed, and counts for no other time or text', () => {
    const log = newKey('log.example/audit')
    const witness = newKey('witness.example/w1', 'cosignature/v1')
    expect(expectOk(parseNoteKey(formatNoteKey(witness.key)))).toEqual(witness.key)
    const text = formatCheckpoint({
      origin: 'log.example/audit',
      size: 3,
      root: new Uint8Array(32),
    })
    const seconds = 1_793_000_000
    const stamped = (time: number, signature: Uint8Array) => {
      const begin = Buffer.alloc(8)
      begin.writeBigUInt64BE(BigInt(time))
      return Buffer.concat([begin, signature])
    }
    const line = (bytes: Uint8Array) => ({
      name: witness.key.name,
      keyId: keyIdOf(witness.key),
      bytes,
    })
    const signature = witness.signText(cosignedText(text, seconds))
    const own = { name: log.key.name, keyId: keyIdOf(log.key), bytes: log.signText(text) }
    const verified = (bytes: Uint8Array) => {
      const note = expectOk(parseNote(formatNote({ text, signatures: [own, line(bytes)] })))
      return verifySignatures(note, [log.key, witness.key]).map(({ time }) => time)
    }
    expect(verified(stamped(seconds, signature))).toEqual([undefined, seconds])
    expect(verified(stamped(seconds + 1, signature))).toEqual([undefined])
    expect(verified(signature)).toEqual([undefined])
    expect(verified(stamped(seconds, witness.signText(text)))).toEqual([undefined])
    // The same bytes as a key of another kind are another key.
    expect(keyIdOf({ ...witness.key, kind: 'ed25519' })).not.toEqual(keyIdOf(witness.key))
  })
})

describe('a checkpoint', () => {
  test('of the checksum database of Go is read', () => {
    const { text } = expectOk(parseNote(SUM_CHECKPOINT))
    const checkpoint = expectOk(parseCheckpoint(text))
    expect(checkpoint).toMatchObject({ origin: 'go.sum database tree', size: 72_352_793 })
    expect(toBase64(checkpoint.root)).toBe('E3tRbxBMQ62zVhkGypCFzU+3shyRx2xAxGZpNJ1N7mI=')
    expect(formatCheckpoint(checkpoint)).toBe(text)
    expect(expectOk(parseCheckpoint(`${text}an extension\n`))).toEqual(checkpoint)
  })

  const root = toBase64(new Uint8Array(32))
  test.each([
    ['nothing', ''],
    ['two lines', 'log\n3\n'],
    ['no origin', `\n3\n${root}\n`],
    ['a size with a zero before it', `log\n03\n${root}\n`],
    ['a size below nothing', `log\n-3\n${root}\n`],
    ['a size beyond all whole numbers here', `log\n9007199254740993\n${root}\n`],
    ['a root that is too short', `log\n3\n${root.slice(0, -4)}\n`],
    ['a root in base64 with bits left over', `log\n3\n${root.slice(0, -2)}B=\n`],
    ['an empty extension', `log\n3\n${root}\n\n`],
    ['no line feed at the end', `log\n3\n${root}`],
  ])('of %s is refused', (_, text) => {
    expectRefusal(parseCheckpoint(text), 'checkpoint_malformed')
  })
})
