import { generateKeyPair, SignJWT } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  checkTokenStanding,
  DEVICE_TOKEN_TYPE,
  issueDeviceToken,
  verifyDeviceToken,
} from '../../src/access/device-token.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { recordOf } from './rules.ts'
import { verifiedToken } from './verified-token.ts'

const issuer = 'https://trust.example.com'
const now = new Date('2026-03-01T12:00:00Z')
const later = new Date('2026-03-01T13:00:00Z')
const claims = {
  deviceId: 'dev_x',
  confirmationKey: 'thumb',
  generation: 3,
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
    const { deviceId, confirmationKey, generation } = claims
    expect(expectOk(await verify(token))).toEqual({ deviceId, confirmationKey, generation })
    expectRefusal(await verify(token, { now: later }), 'device_token_expired')
  })

  test('is one text and no other that reads like it (RFC 7515 §2)', async () => {
    const [header, payload, signature] = token.split('.')
    for (const space of ['\n', ' ', '\t', '\r\n', '=']) {
      for (const text of [
        `${token}${space}`,
        `${space}${token}`,
        `${header}${space}.${payload}.${signature}`,
        `${header}.${payload}.${space}${signature}`,
      ]) {
        expectRefusal(await verify(text), 'device_token_invalid')
      }
    }
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

  test('ends at the fraction of a second that it says: RFC 7519 §2', async () => {
    const signed = (exp: unknown) =>
      new SignJWT({
        ...{ iss: issuer, aud: issuer, sub: 'dev_x', cnf: { jkt: 'thumb' }, generation: 3 },
        ...{ exp: exp as number },
      })
        .setProtectedHeader({ alg: 'ES256', kid: 'k', typ: DEVICE_TOKEN_TYPE })
        .sign(key.privateKey)
    const half = await signed(later.getTime() / 1000 + 0.5)
    expectOk(await verify(half, { now: new Date(later.getTime() + 499) }))
    for (const late of [500, 900]) {
      const at = new Date(later.getTime() + late)
      expectRefusal(await verify(half, { now: at }), 'device_token_expired')
    }
    expectRefusal(await verify(await signed(1e300)), 'device_token_invalid')
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

  test.each([
    ['no generation', { generation: undefined }],
    ['a generation that is no number', { generation: '3' }],
    ['a part of a generation', { generation: 3.5 }],
    ['no key', { cnf: undefined }],
    ['a key of another form (RFC 7800 §3.2)', { cnf: { jwk: {} } }],
    ['a thumbprint that is no text', { cnf: { jkt: 7 } }],
    ['a device that is no text', { sub: 7 }],
  ])('with %s binds nothing and is refused', async (_name, change) => {
    const exp = later.getTime() / 1000
    const whole = {
      iss: issuer,
      aud: issuer,
      sub: 'dev_x',
      exp,
      cnf: { jkt: 'thumb' },
      generation: 3,
    }
    const signed = (payload: object) =>
      new SignJWT({ ...payload })
        .setProtectedHeader({ alg: 'ES256', kid: 'k', typ: DEVICE_TOKEN_TYPE })
        .sign(key.privateKey)
    expectOk(await verify(await signed(whole)))
    expectRefusal(await verify(await signed({ ...whole, ...change })), 'device_token_invalid')
  })
})

describe('the standing of a device token', async () => {
  const says = { deviceId: 'dev_a', confirmationKey: 'thumbprint', generation: 1 }
  const token = await verifiedToken(says)
  const record = recordOf()

  test('holds while the record has its key and its generation', () => {
    expectOk(checkTokenStanding(token, record))
  })

  test('ends with the key, whatever the generation is', async () => {
    for (const generation of [0, 1, 2]) {
      const other = await verifiedToken({ ...says, confirmationKey: 'other', generation })
      expectRefusal(checkTokenStanding(other, record), 'device_token_key_replaced')
    }
    const never = { ...record, attestation: null }
    expectRefusal(checkTokenStanding(token, never), 'device_token_key_replaced')
  })

  test('ends with the generation, also for a token of a later one, which nobody can have', async () => {
    for (const generation of [0, 2]) {
      const other = await verifiedToken({ ...says, generation })
      expectRefusal(checkTokenStanding(other, record), 'device_token_superseded')
    }
  })
})
