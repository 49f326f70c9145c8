import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Json } from '../../support/json.ts'
import { noteReason } from '../../support/refusal.ts'
import { basic, createTestService, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import {
  ASSERTED,
  addClient,
  askByAssertion,
  type CallerKey,
  keysOf,
  makeAssertion,
  makeKey,
  postForm,
} from './world.ts'

let database: TestDatabase
let service: TestService
let key: CallerKey
let clientId: string
beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database })
  key = await makeKey()
  clientId = await addClient(service, { keys: keysOf(key) })
})
afterAll(() => database?.close())

async function expectRefused(answer: Response, reason: string, status = 401): Promise<void> {
  const body = (await answer.json()) as Json
  expect(body.error_description).toMatch(new RegExp(`^${reason}\\b`))
  expect(answer.status).toBe(status)
  expect(body.error).toBe(status === 401 ? 'invalid_client' : 'invalid_request')
  noteReason(reason)
}
const ask = async (changed: Parameters<typeof makeAssertion>[3], by: CallerKey = key) =>
  askByAssertion(service, await makeAssertion(service, clientId, by, changed))

describe('an assertion of the client (RFC 7523 §3), signed by jose', () => {
  test.each(['ES256', 'PS256', 'RS256'])('of %s gets a token, once', async (algorithm) => {
    const own = await makeKey(algorithm)
    const client = await addClient(service, { keys: keysOf(own) })
    const assertion = await makeAssertion(service, client, own)
    expect((await askByAssertion(service, assertion)).status).toBe(200)
    await expectRefused(await askByAssertion(service, assertion), 'assertion_replayed')
  })

  test('of which thirty-two copies come to two processes at once gets one token', async () => {
    const other = await createTestService({ database })
    const assertion = await makeAssertion(service, clientId, key)
    const answers = await Promise.all(
      Array.from({ length: 32 }, (_, n) => askByAssertion(n % 2 ? service : other, assertion)),
    )
    // Past the limit of refusals in a minute the answer is 429: it is no token either.
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  test('is made for us alone: no other audience, and none beside ours', async () => {
    const client = await addClient(service, { keys: keysOf(key) })
    const send = async (aud: string | string[]) =>
      askByAssertion(service, await makeAssertion(service, client, key, { claims: { aud } }))
    expect((await send([service.url])).status).toBe(200)
    for (const aud of [
      'https://other.example',
      `${service.url}/oauth/token`,
      [service.url, 'https://other.example'],
    ]) {
      await expectRefused(await send(aud), 'assertion_audience_mismatch')
    }
  })

  test('counts for the moment that it says, and that is short', async () => {
    const client = await addClient(service, { keys: keysOf(key) })
    const now = Math.floor(service.clock.now().getTime() / 1000)
    for (const [claims, reason] of [
      [{ exp: now - 61 }, 'assertion_expired'],
      [{ exp: now + 3700 }, 'assertion_lifetime_too_long'],
      [{ nbf: now + 120 }, 'assertion_not_yet_valid'],
      [{ iat: now + 120 }, 'assertion_not_yet_valid'],
      [{ exp: undefined }, 'assertion_claims_malformed'],
      [{ jti: undefined }, 'assertion_claims_malformed'],
      [{ jti: '' }, 'assertion_claims_malformed'],
      [{ iss: undefined }, 'assertion_claims_malformed'],
      [{ iss: 'cli_other' }, 'assertion_issuer_mismatch'],
    ] as const) {
      const changed = { claims: claims as Record<string, unknown> }
      const assertion = await makeAssertion(service, client, key, changed)
      await expectRefused(await askByAssertion(service, assertion), reason)
    }
  })
})

describe('an attack by', () => {
  test('an assertion without a signature', async () => {
    const client = await addClient(service, { keys: keysOf(key) })
    const good = await makeAssertion(service, client, key)
    const header = Buffer.from('{"alg":"none","kid":"k1"}').toString('base64url')
    const unsigned = `${header}.${good.split('.')[1]}.`
    await expectRefused(await askByAssertion(service, unsigned), 'assertion_algorithm_refused')
  })

  test('HS256 with the public key as the secret', async () => {
    const client = await addClient(service, { keys: keysOf(key) })
    const secret = Buffer.from(JSON.stringify(key.jwk))
    const forged = await new SignJWT({
      iss: client,
      sub: client,
      aud: service.url,
      jti: 'a',
      exp: 4e9,
    })
      .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
      .sign(secret)
    await expectRefused(await askByAssertion(service, forged), 'assertion_algorithm_refused')
  })

  test('another key, by its own name or under that of the client', async () => {
    const client = await addClient(service, { keys: keysOf(key) })
    const thief = await makeKey()
    const send = async (header: Readonly<Record<string, unknown>>) =>
      askByAssertion(service, await makeAssertion(service, client, thief, { header }))
    await expectRefused(await send({ kid: 'k2' }), 'assertion_key_unknown')
    await expectRefused(await send({ kid: 'k1' }), 'assertion_signature_invalid')
    const carried = { kid: 'k1', jwk: thief.jwk, jku: 'https://thief.example/jwks' }
    await expectRefused(await send(carried), 'assertion_signature_invalid')
  })

  test('a key that is for another algorithm', async () => {
    const { publicKey, privateKey } = await generateKeyPair('PS256', { extractable: true })
    const jwk: Json = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'PS256' }
    const client = await addClient(service, { keys: { kind: 'set', jwks: { keys: [jwk] } } })
    const rs256 = await crypto.subtle.importKey(
      'pkcs8',
      await crypto.subtle.exportKey('pkcs8', privateKey),
      { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
      true,
      ['sign'],
    )
    const assertion = await makeAssertion(service, client, {
      ...{ privateKey: rs256, jwk: {}, algorithm: 'RS256' },
    })
    await expectRefused(await askByAssertion(service, assertion), 'assertion_algorithm_refused')
  })

  test('an access token in place of an assertion', async () => {
    const client = await addClient(service, { keys: keysOf(key) })
    const typed = await makeAssertion(service, client, key, { header: { typ: 'at+jwt' } })
    await expectRefused(await askByAssertion(service, typed), 'assertion_type_refused')
  })

  test('something else than a JWT, or one that nobody can be found by', async () => {
    await expectRefused(await askByAssertion(service, 'x.y'), 'assertion_malformed')
    const huge = `${'a'.repeat(9000)}.e30.AA`
    await expectRefused(await askByAssertion(service, huge), 'assertion_malformed')
    await expectRefused(await ask({ claims: { sub: '' } }), 'assertion_claims_malformed')
  })

  test('two proofs of who asks, or another kind of assertion', async () => {
    const assertion = await makeAssertion(service, clientId, key)
    const both = await postForm(
      service,
      '/oauth/token',
      { client_assertion_type: ASSERTED, client_assertion: assertion },
      { headers: { authorization: basic(clientId, 'right') } },
    )
    await expectRefused(both, 'client_authentication_repeated', 400)
    const saml = {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer',
    }
    const other = await postForm(service, '/oauth/token', { ...saml, client_assertion: assertion })
    await expectRefused(other, 'assertion_type_unknown', 400)
  })

  test('an assertion for a client with a secret, and a secret for a client with keys', async () => {
    const withSecret = await addClient(service)
    const assertion = await makeAssertion(service, withSecret, key)
    await expectRefused(await askByAssertion(service, assertion), 'client_has_no_keys')
    const withKeys = await addClient(service, { keys: keysOf(key) })
    for (const secret of ['', 'right', 'null']) {
      const headers = { authorization: basic(withKeys, secret) }
      const asked = await postForm(service, '/oauth/token', 'grant_type=client_credentials', {
        headers,
      })
      expect(asked.status).toBe(401)
      expect((await service.request('/v1/policy', { headers })).status).toBe(401)
    }
  })

  test('a client that was disabled', async () => {
    const client = await addClient(service, { keys: keysOf(key) })
    await service.services.store.disableClient({
      clientId: client,
      by: 'test',
      now: service.clock.now(),
    })
    const assertion = await makeAssertion(service, client, key)
    const answer = await askByAssertion(service, assertion)
    expect(answer.status).toBe(401)
  })
})

test('a client gets other keys, and the old one ends', async () => {
  const client = await addClient(service, { keys: keysOf(key) })
  const before = await askByAssertion(service, await makeAssertion(service, client, key))
  const { access_token: token } = (await before.json()) as Json
  const next = await makeKey('PS256')
  const change = { clientId: client, keys: keysOf(next), by: 'test', now: service.clock.now() }
  await service.services.store.setClientKeys({ ...change, endTokens: false })
  service.clock.advance(5)
  const use = () => service.request('/v1/policy', { headers: { authorization: `Bearer ${token}` } })
  const old = await askByAssertion(service, await makeAssertion(service, client, key))
  await expectRefused(old, 'assertion_algorithm_refused')
  expect((await askByAssertion(service, await makeAssertion(service, client, next))).status).toBe(
    200,
  )
  expect((await use()).status).toBe(200)
  await service.services.store.setClientKeys({ ...change, endTokens: true })
  service.clock.advance(5)
  expect((await use()).status).toBe(401)
})
