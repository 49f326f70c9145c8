import { expect, test } from 'vitest'
import { toBase64, toHex } from '../../src/base/encoding.ts'
import { type MasterSecret, parseMasterSecret } from '../../src/keys/master-secret.ts'
import { derivePurposeKey, seal, unseal } from '../../src/keys/sealing.ts'

const secretOf = (byte: number) =>
  parseMasterSecret(toBase64(new Uint8Array(32).fill(byte))) as MasterSecret
const key = derivePurposeKey(secretOf(1), 'a purpose')
const plaintext = new TextEncoder().encode('what is sealed')
const context = 'where it belongs'

test('keys of different purposes and secrets are different, and always the same', () => {
  expect(key).toHaveLength(32)
  expect(derivePurposeKey(secretOf(1), 'a purpose')).toEqual(key)
  expect(derivePurposeKey(secretOf(1), 'another')).not.toEqual(key)
  expect(derivePurposeKey(secretOf(2), 'a purpose')).not.toEqual(key)
  // What was sealed by earlier versions must open: the derivation never changes.
  expect(toHex(key)).toBe('c4530f9123e8d2741493b849a5a62020c69a75f4c94aaed183e233237e54c0c6')
})

test('what was sealed opens with the same key in the same context only', () => {
  const sealed = seal({ key, plaintext, context })
  expect(unseal({ key, sealed, context })).toEqual(Buffer.from(plaintext))
  expect(unseal({ key, sealed, context: 'elsewhere' })).toBeUndefined()
  const other = derivePurposeKey(secretOf(1), 'another')
  expect(unseal({ key: other, sealed, context })).toBeUndefined()
})

test('an empty text can be sealed', () => {
  const sealed = seal({ key, plaintext: new Uint8Array(0), context })
  expect(unseal({ key, sealed, context })).toHaveLength(0)
})

test('no two seals of one text are the same, unless the nonce is', () => {
  expect(seal({ key, plaintext, context })).not.toEqual(seal({ key, plaintext, context }))
  const nonce = new Uint8Array(12).fill(9)
  const sealed = seal({ key, plaintext, context, nonce })
  expect(seal({ key, plaintext, context, nonce })).toEqual(sealed)
  expect(() => seal({ key, plaintext, context, nonce: new Uint8Array(11) })).toThrow(TypeError)
})

test('a seal that was changed at any byte, shortened or prolonged does not open', () => {
  const sealed = seal({ key, plaintext, context })
  for (let index = 0; index < sealed.length; index++) {
    const changed = Uint8Array.from(sealed)
    changed[index] = (changed[index] ?? 0) ^ 1
    expect(unseal({ key, sealed: changed, context }), `byte ${index}`).toBeUndefined()
    expect(unseal({ key, sealed: sealed.subarray(0, index), context })).toBeUndefined()
  }
  const longer = Uint8Array.of(...sealed, 0)
  expect(unseal({ key, sealed: longer, context })).toBeUndefined()
})
