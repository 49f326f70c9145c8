import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NONCE_BYTES, openNonce, sealNonce } from '../../src/evidence/nonce.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const secret = new Uint8Array(32).fill(1)
const secrets = [secret]
const deviceKey = new Uint8Array(32).fill(2)
const random = Uint8Array.from({ length: 16 }, (_, at) => at)
const expiresAt = new Date('2025-01-01T00:05:00Z')
const now = new Date('2025-01-01T00:00:00Z')
const nonce = sealNonce({ secret, deviceKey, random, expiresAt })

describe('a sealed nonce', () => {
  test('opens for its device until it expires', () => {
    const opened = expectOk(openNonce({ secrets, deviceKey, nonce, now }))
    expect(opened).toEqual({ nonceId: 'AAECAwQFBgcICQoLDA0ODw', expiresAt })
    expect(nonce).toHaveLength(NONCE_BYTES)
  })

  test('is refused from its expiry on', () => {
    const last = new Date(expiresAt.getTime() - 1)
    expectOk(openNonce({ secrets, deviceKey, nonce, now: last }))
    expectRefusal(openNonce({ secrets, deviceKey, nonce, now: expiresAt }), 'nonce_expired')
    const never = new Date(Number.NaN)
    expectRefusal(openNonce({ secrets, deviceKey, nonce, now: never }), 'nonce_expired')
  })

  test('is refused when another device uses it, even after it has expired', () => {
    const thief = new Uint8Array(32).fill(3)
    expectRefusal(openNonce({ secrets, deviceKey: thief, nonce, now }), 'nonce_foreign')
    const late = new Date('2030-01-01T00:00:00Z')
    expectRefusal(openNonce({ secrets, deviceKey: thief, nonce, now: late }), 'nonce_foreign')
  })

  test('is refused when another service made it', () => {
    const theirs = new Uint8Array(32).fill(9)
    expectRefusal(openNonce({ secrets: [theirs], deviceKey, nonce, now }), 'nonce_foreign')
  })

  test('opens by any secret that may have sealed it, while one follows the other', () => {
    const next = new Uint8Array(32).fill(9)
    const opened = expectOk(openNonce({ secrets: [next, secret], deviceKey, nonce, now }))
    expect(opened.expiresAt).toEqual(expiresAt)
    const late = { secrets: [next, secret], deviceKey, nonce, now: expiresAt }
    expectRefusal(openNonce(late), 'nonce_expired')
  })

  test('is refused with any one bit flipped, a later expiry for instance', () => {
    for (let bit = 0; bit < NONCE_BYTES * 8; bit += 1) {
      const forged = Buffer.from(nonce)
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const reason = bit < 8 ? 'nonce_malformed' : 'nonce_foreign'
      expectRefusal(openNonce({ secrets, deviceKey, nonce: forged, now }), reason)
    }
  })

  test('is refused at any other length', () => {
    for (let length = 0; length < NONCE_BYTES; length += 1) {
      const short = nonce.subarray(0, length)
      expectRefusal(openNonce({ secrets, deviceKey, nonce: short, now }), 'nonce_malformed')
    }
    const long = Buffer.concat([nonce, Buffer.alloc(1)])
    expectRefusal(openNonce({ secrets, deviceKey, nonce: long, now }), 'nonce_malformed')
  })

  test('opens when it is a view into a larger buffer', () => {
    const padded = Buffer.concat([Buffer.alloc(5), nonce, Buffer.alloc(5)])
    const view = padded.subarray(5, 5 + NONCE_BYTES)
    expect(expectOk(openNonce({ secrets, deviceKey, nonce: view, now })).expiresAt).toEqual(
      expiresAt,
    )
  })

  test('property: whatever was sealed opens, whatever was not does not', () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
    fc.assert(
      fc.property(
        bytes(32),
        bytes(16),
        fc.integer({ min: 1, max: 0xffffffff }),
        (key, salt, at) => {
          const until = new Date(at * 1000)
          const sealed = sealNonce({ secret, deviceKey: key, random: salt, expiresAt: until })
          const before = new Date(until.getTime() - 1)
          expect(
            expectOk(openNonce({ secrets, deviceKey: key, nonce: sealed, now: before })),
          ).toEqual({
            nonceId: Buffer.from(salt).toString('base64url'),
            expiresAt: until,
          })
        },
      ),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (made) => {
        expect(openNonce({ secrets, deviceKey, nonce: made, now }).ok).toBe(false)
      }),
    )
  })

  test('is not made from too little', () => {
    const input = { secret, deviceKey, random, expiresAt }
    const short = new Uint8Array(8)
    const wrong = [
      { secret: short },
      { deviceKey: short },
      { random: short },
      { expiresAt: new Date(Number.NaN) },
      { expiresAt: new Date('2200-01-01T00:00:00Z') },
    ]
    for (const change of wrong) expect(() => sealNonce({ ...input, ...change })).toThrow(TypeError)
    expect(() => openNonce({ secrets: [short], deviceKey, nonce, now })).toThrow(TypeError)
  })
})
