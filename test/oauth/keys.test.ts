import { exportJWK, generateKeyPair } from 'jose'
import { expect, test } from 'vitest'
import { readClientKeySet, readClientKeySetUrl } from '../../src/oauth/client-keys.ts'
import { findKey, readJwks } from '../../src/oauth/key-set.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

/** Keys that jose makes and writes down. */
async function publicJwk(algorithm: string, more: object = {}) {
  const { publicKey } = await generateKeyPair(algorithm, { extractable: true })
  return { ...(await exportJWK(publicKey)), ...more }
}

test('a key set gives the keys that verify, each for the algorithms of its kind or its own', async () => {
  const keys = [
    await publicJwk('ES256', { kid: 'ec' }),
    await publicJwk('PS256', { kid: 'rsa' }),
    await publicJwk('RS256', { kid: 'one', alg: 'RS256', use: 'sig' }),
    await publicJwk('ES384', { kid: 'other curve' }),
    await publicJwk('ES256', { kid: 'other use', use: 'enc' }),
    await publicJwk('ES256', { kid: 'other algorithm', alg: 'RS256' }),
    { kty: 'oct', kid: 'shared' },
  ]
  const read = expectOk(readJwks({ keys }))
  expect(read.keys.map(({ kid, algorithms }) => ({ kid, algorithms }))).toEqual([
    { kid: 'ec', algorithms: ['ES256'] },
    { kid: 'rsa', algorithms: ['PS256', 'RS256'] },
    { kid: 'one', algorithms: ['RS256'] },
  ])
  expect(read.ignored).toEqual([3, 4, 5, 6])
  expect(findKey(read.keys, 'rsa')?.kid).toBe('rsa')
  expect(findKey(read.keys, undefined)).toBeUndefined()
})

test('a key set that is none, or gives something away, is refused', async () => {
  const key = await publicJwk('ES256', { kid: 'a' })
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  for (const value of [undefined, null, [], {}, { keys: {} }, { keys: ['x'] }]) {
    expectRefusal(readJwks(value), 'jwks_malformed')
  }
  expectRefusal(readJwks({ keys: Array(33).fill(key) }), 'jwks_too_many')
  expectRefusal(readJwks({ keys: [await exportJWK(privateKey)] }), 'jwks_private_key')
  expectRefusal(readJwks({ keys: [key, key] }), 'jwks_key_repeated')
  expectRefusal(readJwks({ keys: [{ kty: 'oct' }] }), 'jwks_empty')
})

test('every key of a set that is given to a client has to serve', async () => {
  const key = await publicJwk('ES256', { kid: 'a', key_ops: ['verify'], x5t: 'dropped' })
  const read = expectOk(readClientKeySet(JSON.stringify({ keys: [key] })))
  const { kty, crv, x, y } = key as Record<string, string>
  expect(read).toEqual({
    kind: 'set',
    jwks: { keys: [{ kty, crv, x, y, kid: 'a', alg: 'ES256' }] },
  })
  const mixed = { keys: [key, { kty: 'oct' }] }
  expectRefusal(readClientKeySet(JSON.stringify(mixed)), 'client_key_unusable')
  expectRefusal(readClientKeySet('{"keys":[],"keys":[]}'), 'jwks_malformed')
})

test('the URL of a key set is https, without credentials and fragment', () => {
  expectOk(readClientKeySetUrl('https://client.example/jwks.json'))
  for (const url of [
    'http://client.example/jwks',
    'https://user:secret@client.example/jwks',
    'https://client.example/jwks#x',
    'file:///etc/passwd',
    'jwks',
    `https://client.example/${'a'.repeat(1100)}`,
  ]) {
    expectRefusal(readClientKeySetUrl(url), 'client_jwks_url_refused')
  }
})
