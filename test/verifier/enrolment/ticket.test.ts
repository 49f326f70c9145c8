import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { digest } from '../../../src/base/digest.ts'
import { fromBase64Url, toBase64Url } from '../../../src/base/encoding.ts'
import { MAX_TICKET_CHARS } from '../../../src/verifier/enrolment/limits.ts'
import { openTicket, sealTicket } from '../../../src/verifier/enrolment/ticket.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

const key = new Uint8Array(32).fill(1)
const secret = new Uint8Array(32).fill(2)
const now = new Date('2026-03-01T12:00:00Z')
const ticket = {
  id: new Uint8Array(16).fill(3),
  expiresAt: new Date('2026-03-01T12:05:00Z'),
  secretHash: new Uint8Array(digest('sha256', secret)),
  ekHash: new Uint8Array(32).fill(4),
  ekCertificateHash: new Uint8Array(32).fill(5),
  anchor: new Uint8Array(32).fill(6),
  // As swtpm_localca writes it: no end that a calendar of four digits knows.
  ekNotAfter: new Date('9999-12-31T23:59:59Z'),
  akSpki: new Uint8Array(294).fill(7),
}
const text = sealTicket({ ticket, key, iv: new Uint8Array(12).fill(8) })
const open = (changes: Partial<Parameters<typeof openTicket>[0]> = {}) =>
  openTicket({ text, secret, keys: [key], now, ...changes })

/** Both sides are ours; that AES-GCM is what it is, is Node's word. */
describe('a ticket of an enrolment', () => {
  test('opens to what was sealed, for who knows the secret', () => {
    const opened = expectOk(open())
    const plain = Object.entries(opened).map(([name, value]) => [
      name,
      value instanceof Date ? value : new Uint8Array(value),
    ])
    expect(Object.fromEntries(plain)).toEqual(ticket)
  })

  test('opens to nobody who has another secret, whatever its length', () => {
    for (const wrong of [new Uint8Array(32), new Uint8Array(), secret.subarray(1)]) {
      expectRefusal(open({ secret: wrong }), 'secret_wrong')
    }
  })

  test('is over at its expiry', () => {
    expectOk(open({ now: new Date(ticket.expiresAt.getTime() - 1) }))
    expectRefusal(open({ now: ticket.expiresAt }), 'ticket_expired')
  })

  test('shows nothing of what is in it', () => {
    const bytes = Buffer.from(fromBase64Url(text) ?? [])
    for (const part of [ticket.secretHash, ticket.ekHash, ticket.akSpki]) {
      expect(bytes.includes(Buffer.from(part))).toBe(false)
    }
  })

  test('is nobody’s where any bit of it was changed, or some of it is missing or more', () => {
    const bytes = fromBase64Url(text) ?? new Uint8Array()
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const changed = Uint8Array.from(bytes)
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        expectRefusal(open({ text: toBase64Url(changed) }), 'ticket_foreign')
      }),
    )
    for (let length = 0; length < bytes.length; length += 7) {
      expectRefusal(open({ text: toBase64Url(bytes.subarray(0, length)) }), 'ticket_foreign')
    }
    const more = toBase64Url(Buffer.concat([bytes, Uint8Array.of(0)]))
    const others = [more, 'no base64!', '', 'A'.repeat(MAX_TICKET_CHARS + 1)]
    for (const other of others) expectRefusal(open({ text: other }), 'ticket_foreign')
    expectRefusal(open({ keys: [new Uint8Array(32).fill(9)] }), 'ticket_foreign')
  })

  test('opens by any key that may have sealed it, while one follows the other', () => {
    expectOk(open({ keys: [new Uint8Array(32).fill(9), key] }))
  })

  test('is not made of parts of other lengths', () => {
    const iv = new Uint8Array(12)
    for (const wrong of [{ id: new Uint8Array(15) }, { anchor: new Uint8Array(20) }]) {
      expect(() => sealTicket({ ticket: { ...ticket, ...wrong }, key, iv })).toThrow(TypeError)
    }
    expect(() => sealTicket({ ticket, key, iv: new Uint8Array(11) })).toThrow(TypeError)
  })
})
