import { generateKeyPair, SignJWT } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { issueDeviceToken, verifyDeviceToken } from '../../src/access/device-token.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const issuer = 'https://trust.example.com'
const now = new Date('2026-03-01T12:00:00Z')
const later = new Date('2026-03-01T13:00:00Z')
const claims = {
  deviceId: 'dev_x',
  confirmationKey: 'thumb',
  issuedAt: now,
  expiresAt: later,
  jti: 'j',
}

const scheme = { name: 'ECDSA', hash: 'SHA-256' }
let key: CryptoKeyPair
let token: string

beforeAll(async () => {
  key = await generateKeyPair('ES256')
  token = await issueDeviceToken(claims, { issuer, signer: signerOf('k') })
})

const signerOf = (kid: string) => ({
  kid,
  sign: async (message: Uint8Array) =>
    new Uint8Array(await crypto.subtle.sign(scheme, key.privateKey, new Uint8Array(message))),
})

const verify = (text: string, options: { issuer?: string; now?: Date } = {}) =>
  verifyDeviceToken(text, {
    issuer: options.issuer ?? issuer,
    keyOf: (kid) => (kid === 'k' ? key.publicKey : undefined),
    now: options.now ?? now,
  })

describe('device token', () => {
  test('names the device until it expires', async () => {
    expect(expectOk(await verify(token)).deviceId).toBe('dev_x')
    expectRefusal(await verify(token, { now: later }), 'device_token_expired')
  })

  test('of another issuer, of an unknown key, cut off or too long is refused', async () => {
    expectRefusal(await verify(token, { issuer: 'https://other.example' }), 'device_token_invalid')
    expectRefusal(await verify(token.slice(0, -6)), 'device_token_invalid')
    expectRefusal(await verify('a'.repeat(5000)), 'device_token_invalid')
    const foreign = await issueDeviceToken(claims, {
      issuer,
      signer: signerOf('other'),
    })
    expectRefusal(await verify(foreign), 'device_token_invalid')
  })

  test('another kind of token signed by the same key does not pass for a device token', async () => {
    const receipt = await new SignJWT({ cnf: { jkt: 'thumb' } })
      .setProtectedHeader({ alg: 'ES256', kid: 'k', typ: 'receipt+jwt' })
      .setIssuer(issuer)
      .setAudience(issuer)
      .setSubject('dev_x')
      .setExpirationTime(later)
      .sign(key.privateKey)
    expectRefusal(await verify(receipt), 'device_token_invalid')
  })
})
