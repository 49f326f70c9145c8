import { describe, expect, test } from 'vitest'
import { deviceIdOf, isDeviceId, parseDeviceKey, ringOf } from '../../src/access/device-id.ts'

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

  test('puts the device into one of a hundred rings', () => {
    expect(ringOf(key)).toBe(0x00010203 % 100)
    expect(ringOf(Uint8Array.from(key).fill(0xff))).toBe(0xffffffff % 100)
  })
})
