import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { exportJWK, SignJWT, UnsecuredJWT } from 'jose'
import { expect, test } from 'vitest'
import { issueDeviceToken } from '../../../src/access/device-token.ts'
import { verifyEar } from '../../../src/access/ear/verify-ear.ts'
import { importReceiptKeys } from '../../../src/access/receipt/keys.ts'
import { signStatusList } from '../../../src/access/status-list/list-token.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

/** The witness of what is signed is `jose`, which signs what is verified here. */
const NOW = new Date('2026-03-02T08:00:00Z')
const ISSUER = 'https://countersign.example'
const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const hostile = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwk = { ...(await exportJWK(own.publicKey)), kid: 'own', alg: 'ES256', use: 'sig' }
const keys = expectOk(await importReceiptKeys({ keys: [jwk] }))

const CLAIMS = {
  ...{ eat_profile: 'tag:ietf.org,2026:rats/ear#04', iss: ISSUER, sub: 'dev_x' },
  ...{ iat: NOW.getTime() / 1000, exp: NOW.getTime() / 1000 + 60 },
  ear_verifier_id: { developer: ISSUER, build: '1' },
  submods: { device: { ear_status: 'affirming' } },
}

const sign = (
  claims: object = CLAIMS,
  header: object = {},
  key: KeyObject | Uint8Array = own.privateKey,
) => {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'ES256', typ: 'eat+jwt', kid: 'own', ...header })
    .sign(key)
}
const verify = (token: string, changes: object = {}) =>
  verifyEar(token, { keys, issuer: ISSUER, now: NOW, ...changes })

test('what its issuer signed is verified, by the type of RFC 9782 and by those of before', async () => {
  for (const typ of ['eat+jwt', 'application/eat+jwt', 'JWT', undefined]) {
    expect(expectOk(await verify(await sign(CLAIMS, { typ })))).toMatchObject({ subject: 'dev_x' })
  }
})

test('a result that has ended, or of another issuer, counts for nothing', async () => {
  const token = await sign()
  const later = { now: new Date(NOW.getTime() + 60_000) }
  expectRefusal(await verify(token, later), 'ear_expired')
  expectRefusal(await verify(token, { issuer: 'https://other.example' }), 'ear_issuer_differs')
  const { iss: _, ...nobody } = CLAIMS
  expectRefusal(await verify(await sign(nobody)), 'ear_issuer_differs')
})

test('a key of somebody else, or one that nobody knows, signs nothing', async () => {
  expectRefusal(await verify(await sign(CLAIMS, {}, hostile.privateKey)), 'ear_signature_invalid')
  expectRefusal(await verify(await sign(CLAIMS, { kid: 'other' })), 'ear_key_unknown')
  const token = await sign()
  const [head, , signature] = token.split('.')
  const better = Buffer.from(JSON.stringify({ ...CLAIMS, sub: 'dev_y' })).toString('base64url')
  expectRefusal(await verify(`${head}.${better}.${signature}`), 'ear_signature_invalid')
})

test('no algorithm but that of the key: not none, and not a secret that everybody has', async () => {
  const unsigned = new UnsecuredJWT({ ...CLAIMS }).encode()
  expectRefusal(await verify(unsigned), 'ear_algorithm_refused')
  const secret = Buffer.from(JSON.stringify(jwk))
  expectRefusal(await verify(await sign(CLAIMS, { alg: 'HS256' }, secret)), 'ear_algorithm_refused')
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const byRsa = await sign(CLAIMS, { alg: 'RS256' }, rsa.privateKey)
  expectRefusal(await verify(byRsa), 'ear_algorithm_refused')
})

test('nothing else that the same keys sign is a result', async () => {
  const made = await sign()
  const signer = {
    kid: 'own',
    sign: async (message: Uint8Array) => {
      const { subtle } = crypto
      const pkcs8 = own.privateKey.export({ format: 'der', type: 'pkcs8' })
      const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
      const key = await subtle.importKey('pkcs8', new Uint8Array(pkcs8), algorithm, false, ['sign'])
      return new Uint8Array(await subtle.sign(algorithm, key, new Uint8Array(message)))
    },
  }
  const deviceToken = await issueDeviceToken(
    {
      ...{ deviceId: 'dev_x', confirmationKey: 'key', generation: 1, jti: 'att_1' },
      ...{ issuedAt: NOW, expiresAt: new Date(NOW.getTime() + 60_000) },
    },
    { issuer: ISSUER, signer },
  )
  expectRefusal(await verify(deviceToken), 'ear_type_wrong')
  const list = { compressed: new Uint8Array(8), issuedAt: NOW, ttlSeconds: 60 }
  const statuses = await signStatusList(list, { issuer: ISSUER, signer })
  expectRefusal(await verify(statuses), 'ear_type_wrong')
  // Without its type it still lacks the profile.
  const [, claims = ''] = deviceToken.split('.')
  const payload = JSON.parse(Buffer.from(claims, 'base64url').toString())
  expectRefusal(await verify(await sign(payload)), 'ear_profile_unknown')
  expect(expectOk(await verify(made)).status).toBe('affirming')
})

test('what is no JWS, too long or critical is not read', async () => {
  const token = await sign()
  for (const text of ['', 'a.b.c', ` ${token}`, `${token}.`, `${token}${'A'.repeat(100_000)}`]) {
    expectRefusal(await verify(text), 'ear_not_jws')
  }
  const [head = '', ...rest] = token.split('.')
  const header = JSON.parse(Buffer.from(head, 'base64url').toString())
  const critical = Buffer.from(JSON.stringify({ ...header, crit: ['x'], x: 1 }))
  expectRefusal(await verify([critical.toString('base64url'), ...rest].join('.')), 'ear_not_jws')
})
