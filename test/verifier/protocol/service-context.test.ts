import { describe, expect, test } from 'vitest'
import { fromBase64Url, toBase64Url, toUtf8 } from '../../../src/base/encoding.ts'
import {
  openServiceContext,
  sealServiceContext,
} from '../../../src/verifier/protocol/service-context.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'

const now = new Date('2026-03-01T12:00:00Z')
const expiresAt = new Date('2026-03-01T12:05:00Z')
const key = new Uint8Array(32).fill(7)
const otherKey = new Uint8Array(32).fill(8)
const iv = new Uint8Array(12).fill(9)
const challenge = Uint8Array.from({ length: 16 }, (_, index) => index)
const text = sealServiceContext({ context: { challenge, expiresAt }, key, iv })
const open = (input: Partial<Parameters<typeof openServiceContext>[0]> = {}) =>
  openServiceContext({ text, challenge, keys: [key], now, ...input })

type Parts = { ProtectionKeyName: string; ProtectedContext: string }

function change(edit: (parts: Parts) => unknown): string {
  const parts = JSON.parse(Buffer.from(fromBase64Url(text) ?? []).toString())
  return toBase64Url(toUtf8(JSON.stringify(edit(parts))))
}

describe('service context', () => {
  test('opens to what was sealed, by any key that is still kept', () => {
    const context = expectOk(open({ keys: [otherKey, key] }))
    expect(new Uint8Array(context.challenge)).toEqual(challenge)
    expect(context.expiresAt).toEqual(expiresAt)
  })

  test('does not show the challenge', () => {
    const sealed = change(({ ProtectedContext }) => ProtectedContext)
    const bytes = Buffer.from(JSON.parse(Buffer.from(sealed, 'base64url').toString()), 'base64url')
    expect(bytes.includes(Buffer.from(challenge))).toBe(false)
  })

  test('is over at its expiry', () => {
    expectOk(open({ now: new Date(expiresAt.getTime() - 1) }))
    expectRefusal(open({ now: expiresAt }), 'context_expired')
  })

  test('sealed by a key that nobody here has', () => {
    expectRefusal(open({ keys: [otherKey] }), 'context_foreign')
  })

  test('answering with a challenge other than the sealed one', () => {
    expectRefusal(open({ challenge: new Uint8Array(16) }), 'context_challenge_mismatch')
    const longer = Buffer.concat([challenge, Uint8Array.of(0)])
    expectRefusal(open({ challenge: longer }), 'context_challenge_mismatch')
  })

  test('any bit of the sealed part changed', () => {
    const length = 12 + 16 + 8 + 16
    for (let at = 0; at < length; at++) {
      const forged = change((parts) => {
        const bytes = Buffer.from(parts.ProtectedContext, 'base64url')
        bytes[at] = (bytes[at] ?? 0) ^ 1
        return { ...parts, ProtectedContext: bytes.toString('base64url') }
      })
      expectRefusal(open({ text: forged }), 'context_forged')
    }
  })

  test('relabelled with the name of another key', () => {
    const other = sealServiceContext({ context: { challenge, expiresAt }, key: otherKey, iv })
    const { ProtectionKeyName } = JSON.parse(Buffer.from(other, 'base64url').toString())
    const forged = change((parts) => ({ ...parts, ProtectionKeyName }))
    expectRefusal(open({ text: forged, keys: [key, otherKey] }), 'context_forged')
  })

  test.each([
    ['no base64url', '***'],
    ['no JSON', toBase64Url(toUtf8('x'))],
    ['a list', change(() => [])],
    ['no name', change(({ ProtectedContext }) => ({ ProtectedContext }))],
    ['a shorter content', change((parts) => ({ ...parts, ProtectedContext: 'AAAA' }))],
    ['a longer content', change((parts) => ({ ...parts, ProtectedContext: 'A'.repeat(400) }))],
    ['far too long', 'A'.repeat(10_000)],
    ['empty', ''],
  ])('%s', (_, malformed) => {
    expectRefusal(open({ text: malformed }), 'context_malformed')
  })

  test('wrong key, IV and challenge lengths are our own mistakes', () => {
    const context = { challenge, expiresAt }
    const short = new Uint8Array(5)
    expect(() => sealServiceContext({ context, key: short, iv })).toThrow(TypeError)
    expect(() => sealServiceContext({ context, key, iv: short })).toThrow(TypeError)
    const wrong = { context: { challenge: short, expiresAt }, key, iv }
    expect(() => sealServiceContext(wrong)).toThrow(TypeError)
  })
})

describeVectors('service contexts of Azure', () => {
  test('have the same members and lengths of challenge and key name', () => {
    const { response_data_decoded } = vectorJson(
      'maa/tpm-protocol/init-exchange-wus-2022-11-17.json',
    )
    const { payload } = JSON.parse(response_data_decoded)
    const theirs = JSON.parse(Buffer.from(payload.service_context, 'base64url').toString())
    const ours = JSON.parse(Buffer.from(text, 'base64url').toString())
    expect(Object.keys(ours)).toEqual(Object.keys(theirs))
    expect(ours.ProtectionKeyName).toMatch(/^[0-9A-F]{64}$/)
    expect(theirs.ProtectionKeyName).toMatch(/^[0-9A-F]{64}$/)
    expect(Buffer.from(payload.challenge, 'base64url')).toHaveLength(challenge.length)
  })

  test('are foreign to us', () => {
    const { response_data_decoded } = vectorJson(
      'maa/tpm-protocol/init-exchange-wus-2022-11-17.json',
    )
    const { payload } = JSON.parse(response_data_decoded)
    // Azure seals more than we do, so its context is not even of our shape.
    expectRefusal(open({ text: payload.service_context }), 'context_malformed')
  })
})
