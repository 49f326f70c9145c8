import { describe, expect, test } from 'vitest'
import { createRandomSource } from '../../src/base/random.ts'

describe('random bytes', () => {
  test('have the length that was asked for, over and over', () => {
    const random = createRandomSource()
    for (const length of [0, 1, 12, 1024, 20, 1000, 37]) {
      expect(random(length)).toHaveLength(length)
    }
    expect(() => random(1025)).toThrow(RangeError)
  })

  test('are given out once', () => {
    const random = createRandomSource()
    const seen = new Set(Array.from({ length: 5000 }, () => random(16).join()))
    expect(seen.size).toBe(5000)
  })

  test('belong to whoever asked: writing to them reaches nobody else', () => {
    const random = createRandomSource()
    random(16).fill(0)
    const first = random(16)
    first.fill(7)
    expect(random(16).every((byte) => byte === 7)).toBe(false)
    expect(first.buffer.byteLength).toBe(16)
  })
})
