import { createSecretKey } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { deviceIdOf, isDeviceId, parseDeviceKey, ringOf } from '../../src/access/device-id.ts'
import { toUtf8 } from '../../src/base/encoding.ts'

const key = Uint8Array.from({ length: 32 }, (_, index) => index)

describe('the name of a device', () => {
  test('is its key in base32, the same each time', () => {
    const id = deviceIdOf(key)
    expect(id).toBe('dev_aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq')
    expect(isDeviceId(id)).toBe(true)
    for (const text of ['', 'dev_', id.toUpperCase(), `${id}a`, id.slice(0, -1), `x${id}`]) {
      expect(isDeviceId(text)).toBe(false)
    }
  })

  test('is made of a digest and nothing else', () => {
    expect(() => deviceIdOf(key.subarray(1))).toThrow(TypeError)
  })

  test('is read from exactly 32 bytes in base64', () => {
    expect(parseDeviceKey(Buffer.from(key).toString('base64'))).toEqual(Buffer.from(key))
    for (const text of [undefined, 7, '', 'AAAA', Buffer.alloc(33).toString('base64')]) {
      expect(parseDeviceKey(text)).toBeUndefined()
    }
  })

  test('puts the device into one of a hundred rings, by HMAC-SHA-256 under a secret (RFC 4231 §4.2)', () => {
    const secret = createSecretKey(new Uint8Array(20).fill(0x0b))
    expect(ringOf(toUtf8('Hi There'), secret)).toBe(0xb0344c61 % 100)
  })

  test('fills the rings evenly, whatever rings its keys would fall into for somebody else', () => {
    // Keys that were ground until their first bytes, or their ring under a guess, are all zero.
    const counts = new Map<number, number>()
    for (let made = 0; made < 10_000; made += 1) {
      const ground = new Uint8Array(32)
      new DataView(ground.buffer).setUint32(28, made)
      const ring = ringOf(ground, createSecretKey(key))
      counts.set(ring, (counts.get(ring) ?? 0) + 1)
    }
    expect(counts.size).toBe(100)
    // Binomial with a mean of 100 and a deviation of 10; these keys and this secret stay the same.
    for (const count of counts.values()) expect(Math.abs(count - 100)).toBeLessThan(45)
  })
})
