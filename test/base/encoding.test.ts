import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as encoding from '../../src/base/encoding.ts'

describe('text forms of bytes', () => {
  test('each decoder undoes its encoder', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const copy = Buffer.from(bytes)
        expect(encoding.fromBase64Url(encoding.toBase64Url(bytes))).toEqual(copy)
        expect(encoding.fromBase64(encoding.toBase64(bytes))).toEqual(copy)
        expect(encoding.fromHex(encoding.toHex(bytes))).toEqual(copy)
      }),
    )
  })

  test('anything outside the exact alphabet is refused instead of skipped', () => {
    for (const text of ['a', 'ab=c', 'a b0', 'YQ==', 'a+b/', 'é', 'ŁAAA', 'AAAŁ', 'AAAA\n']) {
      expect(encoding.fromBase64Url(text)).toBeUndefined()
    }
    for (const text of ['YQ', 'YQ=', 'a-b_', 'YQ==\n', 'ŁAAA', 'YQ==YQ==', 'YW=J']) {
      expect(encoding.fromBase64(text)).toBeUndefined()
    }
    for (const text of ['0', 'zz', '0x00']) expect(encoding.fromHex(text)).toBeUndefined()
    expect(encoding.fromUtf8(new Uint8Array([0xff]))).toBeUndefined()
  })

  test('of all characters only those of the alphabet count, wherever they stand', () => {
    const alphabet = /^[A-Za-z0-9_-]$/
    for (const length of [2, 3, 4, 16, 87, 1000]) {
      for (const at of [0, length >> 1, length - 2, length - 1]) {
        for (let unit = 0; unit < 0x200; unit++) {
          const character = String.fromCharCode(unit)
          const text = 'A'.repeat(at) + character + 'A'.repeat(length - at - 1)
          const isFine = alphabet.test(character)
          expect(encoding.fromBase64Url(text) !== undefined, JSON.stringify(text)).toBe(isFine)
        }
      }
    }
  })

  test('base64url of a text is that text, and nothing is left of the one before', () => {
    for (const text of ['a longer text', 'short', '', 'é😀', '\u0000']) {
      const encoded = encoding.toBase64Url(encoding.toUtf8(text))
      expect(encoding.textFromBase64Url(encoded)).toBe(text)
      expect(encoding.bytesInBase64Url(encoded)).toBe(Buffer.byteLength(text))
    }
    for (const text of ['a', 'YQ==', 'a+b/', 'Y Q', 'ŁAAA', 'wyg', '_w']) {
      expect(encoding.textFromBase64Url(text), text).toBeUndefined()
    }
  })

  test('a last character with bits to spare is taken as it is', () => {
    expect(encoding.fromBase64Url('YR')).toEqual(Buffer.from('a'))
    expect(encoding.fromBase64('YR==')).toEqual(Buffer.from('a'))
  })

  test('base32 gives the vectors of RFC 4648 §10 in lower case without padding', () => {
    const vectors = {
      '': '',
      f: 'my',
      fo: 'mzxq',
      foo: 'mzxw6',
      foob: 'mzxw6yq',
      fooba: 'mzxw6ytb',
    }
    for (const [plain, coded] of Object.entries(vectors)) {
      expect(encoding.toBase32(encoding.toUtf8(plain))).toBe(coded)
    }
    expect(encoding.toBase32(encoding.toUtf8('foobar'))).toBe('mzxw6ytboi')
  })
})

describe('bytes that are to be text', () => {
  /** RFC 3629 §4 and Table 3-7 of the Unicode Standard, the edges of each row. */
  const ILL_FORMED = [
    '80',
    'bf',
    'c0af',
    'c080',
    'c1bf',
    'c3',
    'e08080',
    'e09fbf',
    'e282',
    'eda080',
  ]
  const MORE = [
    'edbfbf',
    'f0808080',
    'f08fbfbf',
    'f4908080',
    'f5808080',
    'fe',
    'ff',
    'c328',
    '61e2',
  ]

  test('are UTF-8 or nothing: no replacement characters, whatever is wrong', () => {
    for (const hex of [...ILL_FORMED, ...MORE]) {
      const bytes = Buffer.from(hex, 'hex')
      expect(isUtf8(bytes)).toBe(false)
      expect(encoding.fromUtf8(bytes)).toBeUndefined()
      expect(encoding.fromUtf8(Buffer.concat([Buffer.from('a'), bytes]))).toBeUndefined()
    }
  })

  test('are judged as the validator of the runtime (simdutf) judges them', () => {
    const nearUtf8 = fc.string({ unit: 'binary' }).map((text) => Buffer.from(text))
    const touched = fc.tuple(nearUtf8, fc.nat(), fc.nat(255)).map(([bytes, at, byte]) => {
      const copy = Uint8Array.from(bytes)
      if (copy.length > 0) copy[at % copy.length] = byte
      return copy
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), touched), (bytes) => {
        const text = encoding.fromUtf8(bytes)
        expect(text !== undefined).toBe(isUtf8(bytes))
        if (text !== undefined) expect(encoding.toUtf8(text)).toEqual(Buffer.from(bytes))
      }),
      { numRuns: 2_000 },
    )
  })

  test('keep a byte order mark, but for files, which lose one', () => {
    const marked = Buffer.from('\ufeff\ufeff{}')
    expect(encoding.fromUtf8(marked)).toBe('\ufeff\ufeff{}')
    expect(encoding.fromUtf8File(marked)).toBe('\ufeff{}')
    expect(encoding.fromUtf8File(Buffer.from('{}'))).toBe('{}')
    expect(encoding.fromUtf8File(Buffer.from('ff', 'hex'))).toBeUndefined()
  })
})
