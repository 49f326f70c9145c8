import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeJson, encodeText } from '../../src/store/json.ts'
import { newRecordId } from '../../src/store/record-id.ts'

describe('JSON for the database', () => {
  test('is what JSON.stringify says for everything that can be stored', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(encodeJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  test('holds no NUL and no lone surrogate, in values or in names', () => {
    const unit = fc.constantFrom('\0', '\ud800', '\udc00', '\\', 'u0000', 'a', '😀')
    const text = fc.string({ unit, maxLength: 8 })
    fc.assert(
      fc.property(fc.dictionary(text, fc.array(text)), (value) => {
        const encoded = encodeJson(value)
        expect(encoded).not.toMatch(/(?<!\\)(?:\\\\)*\\u0000/)
        const texts = Object.entries(JSON.parse(encoded)).flat(2) as string[]
        expect(texts.every((part) => part.isWellFormed() && !part.includes('\0'))).toBe(true)
      }),
    )
  })

  test('leaves a backslash alone that only looks like an escape', () => {
    expect(JSON.parse(encodeJson({ a: '\\u0000', b: '\\ud800' }))).toEqual({
      a: '\\u0000',
      b: '\\ud800',
    })
  })

  test('and so does plain text', () => {
    expect(encodeText('a\0b\ud800c😀')).toBe('a\uFFFDb\uFFFDc😀')
  })
})

describe('record ids', () => {
  test('are UUIDs of version 7 that begin with their time', () => {
    const now = new Date('2026-03-01T12:00:00.123Z')
    const id = newRecordId(now)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(now.getTime())
    expect(newRecordId(now)).not.toBe(id)
    expect(newRecordId(new Date(now.getTime() + 1)) > id).toBe(true)
  })
})
