import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as encoding from '../src/encoding.ts'

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
