import { decodeJwt, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashClientSecret } from '../../../src/keys/client-secret.ts'
import type { Store } from '../../../src/store/store.ts'
import { StoreError } from '../../../src/store/store-error.ts'
import type { Json } from '../../support/json.ts'
import { expectOk, noteReason } from '../../support/refusal.ts'
import { createTestService, startDevice, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { addClient, askForToken, makeKey, useToken } from './world.ts'

let database: TestDatabase
let service: TestService
beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database })
})
afterAll(() => database?.close())

async function getToken(clientId: string, from = service): Promise<string> {
  const { access_token: token } = (await (await askForToken(from, clientId)).json()) as Json
  return token
}

/** RFC 6750 §3.1: 401, `invalid_token`, where to learn more (RFC 9728 §5.1), and our reason. */
async function expectInvalid(answer: Response, reason: string): Promise<void> {
  const metadata = `${service.url}/.well-known/oauth-protected-resource`
  expect(answer.headers.get('www-authenticate')).toBe(
    `Bearer error="invalid_token", error_description="${reason}", resource_metadata="${metadata}"`,
  )
  expect(answer.status).toBe(401)
  expect(await answer.json()).toMatchObject({ code: 'unauthenticated' })
  noteReason(reason)
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('an access token', () => {
  test('is taken wherever HTTP Basic is, with the scope that is asked for', async () => {
    const clientId = await addClient(service)
    const token = await getToken(clientId)
    expect((await useToken(service, token)).status).toBe(200)
    // RFC 9110 §11.1: the name of the scheme has no case.
    expect((await useToken(service, token, { scheme: 'bEARER' })).status).toBe(200)
    const question = {
      subject: { type: 'user', id: 'alice' },
      resource: { type: 'application', id: 'mail' },
      action: { name: 'read' },
    }
    const headers = { authorization: `Bearer ${token}` }
    const decided = await service.post('/access/v1/evaluation', question, { headers })
    expect(decided.status).not.toBe(401)
    const streams = await useToken(service, token, { path: '/ssf/stream' })
    expect(streams.status).toBe(403)
  })

  test('names its client in the audit, as HTTP Basic does', async () => {
    const clientId = await addClient(service, { scopes: ['admin.write'] })
    const token = await getToken(clientId)
    const device = await startDevice()
    const { device_id: deviceId } = expectOk(await service.agentOf(device).attest())
    const changed = await service.post(
      `/v1/devices/${deviceId}/quarantine`,
      { reason: 'test' },
      { headers: { authorization: `Bearer ${token}` } },
    )
    expect(changed.status, await changed.text()).toBeLessThan(300)
    const [entry] = await service.query(
      `select actor from audit where device_id = '${deviceId}' and action = 'device.quarantined'`,
    )
    expect(entry).toEqual({ actor: clientId })
  })

  test('is verified once, and read from the database no oftener than its client', async () => {
    const clientId = await addClient(service)
    const token = await getToken(clientId)
    await useToken(service, token)
    const before = service.calls.length
    for (let n = 0; n < 20; n++) expect((await useToken(service, token)).status).toBe(200)
    const calls = service.calls.slice(before).filter((name) => /client|spend|signing/i.test(name))
    expect(calls).toEqual([])
  })

  test('does not count in the URL nor in the body: RFC 6750 §2 leaves the header', async () => {
    const token = await getToken(await addClient(service))
    const inQuery = await service.request(`/ssf/stream?access_token=${token}`)
    expect(inQuery.status).toBe(401)
    const body = `access_token=${token}`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const inBody = await service.request('/v1/holds', { method: 'GET', headers })
    expect(inBody.status).toBe(401)
    const posted = await service.request('/access/v1/evaluation', { method: 'POST', body, headers })
    expect(posted.status).toBe(401)
  })
})

test('whoever has no token is told every way to get in: RFC 9110 §11.6.1, RFC 9728 §5.1', async () => {
  const answer = await service.request('/v1/devices')
  expect(answer.status).toBe(401)
  const metadata = `resource_metadata="${service.url}/.well-known/oauth-protected-resource"`
  expect(answer.headers.get('www-authenticate')).toBe(
    `Basic realm="countersign", charset="UTF-8", Bearer ${metadata}, DPoP algs="ES256 PS256 RS256", ${metadata}`,
  )
})

describe('an attack by', () => {
  const forge = async (
    header: Readonly<Record<string, unknown>>,
    claims: Readonly<Record<string, unknown>> = {},
  ) => {
    const good = await getToken(await addClient(service))
    return { good, text: `${encode(header)}.${encode({ ...decodeJwt(good), ...claims })}` }
  }

  test('alg none, with and without a signature', async () => {
    const { good, text } = await forge({ alg: 'none', typ: 'at+jwt' })
    for (const end of ['', good.split('.')[2]]) {
      await expectInvalid(
        await useToken(service, `${text}.${end}`),
        'access_token_algorithm_refused',
      )
    }
  })

  test('HS256 with the public key as the secret', async () => {
    const keys = (await (await service.request('/.well-known/jwks.json')).json()) as Json
    for (const jwk of keys.keys) {
      const forged = await new SignJWT({ ...decodeJwt(await getToken(await addClient(service))) })
        .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: jwk.kid })
        .sign(Buffer.from(JSON.stringify(jwk)))
      await expectInvalid(await useToken(service, forged), 'access_token_algorithm_refused')
    }
  })

  test('a key of somebody else, under its own name or one of ours', async () => {
    const good = await getToken(await addClient(service))
    const thief = await makeKey()
    const keys = (await (await service.request('/.well-known/jwks.json')).json()) as Json
    const sign = (kid: string) =>
      new SignJWT({ ...decodeJwt(good) })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid, jwk: thief.jwk })
        .sign(thief.privateKey)
    await expectInvalid(await useToken(service, await sign('k1')), 'access_token_key_unknown')
    const ours = keys.keys.find((jwk: Json) =>
      good.startsWith(encode({ alg: 'ES256', kid: jwk.kid }).slice(0, 40)),
    )
    const forged = await sign(ours.kid)
    await expectInvalid(await useToken(service, forged), 'access_token_signature_invalid')
  })

  test('a token that says more than was signed', async () => {
    const good = await getToken(await addClient(service, { scopes: ['access.evaluate'] }))
    const [header, , signature] = good.split('.')
    const more = { ...decodeJwt(good), scope: 'access.evaluate admin.read admin.write' }
    const forged = `${header}.${encode(more)}.${signature}`
    await expectInvalid(await useToken(service, forged), 'access_token_signature_invalid')
  })

  test('a device token, a receipt and a security event of ours', async () => {
    const device = await startDevice()
    const { device_token: deviceToken } = expectOk(await service.agentOf(device).attest())
    await expectInvalid(await useToken(service, deviceToken), 'access_token_key_unknown')
    const headers = await service.as('access.evaluate')
    const question = {
      subject: { type: 'user', id: 'alice', properties: { device_token: deviceToken } },
      resource: { type: 'application', id: 'mail' },
      action: { name: 'read' },
      context: { receipt: true },
    }
    const decided = await service.post('/access/v1/evaluation', question, { headers })
    const { receipt } = ((await decided.json()) as Json).context
    await expectInvalid(await useToken(service, receipt), 'access_token_key_unknown')
    await service.services.makeEventKey()
    const event = await service.services.signEvent({ iss: service.url, aud: service.url, jti: 'x' })
    await expectInvalid(await useToken(service, event), 'access_token_algorithm_refused')
  })

  test('a token of the right key and another type, audience or issuer', async () => {
    const { keyRing } = service.services
    await getToken(await addClient(service))
    const key = (await keyRing.current()).signingKey('access-token', service.clock.now())
    const now = service.clock.now().getTime() / 1000
    const claims = {
      iss: service.url,
      aud: service.url,
      sub: 'x',
      client_id: 'x',
      scope: 'admin.read',
      jti: 'x',
      iat: now,
      exp: now + 60,
      generation: 1,
    }
    const sign = (changed: object, typ = 'at+jwt') =>
      new SignJWT({ ...claims, ...changed })
        .setProtectedHeader({ alg: 'ES256', typ, kid: key.kid })
        .sign(key.privateKey.cryptoKey)
    for (const [changed, reason, typ] of [
      [{}, 'access_token_type_refused', 'JWT'],
      [{}, 'access_token_type_refused', 'countersign-device+jwt'],
      [{ aud: 'https://other.example' }, 'access_token_audience_mismatch', 'at+jwt'],
      [{ iss: 'https://other.example' }, 'access_token_issuer_unknown', 'at+jwt'],
      [{ exp: now - 6 }, 'access_token_expired', 'at+jwt'],
      [{ iat: now + 60 }, 'access_token_not_yet_valid', 'at+jwt'],
      [{ sub: 'y' }, 'access_token_claims_malformed', 'at+jwt'],
      [{ generation: undefined }, 'access_token_claims_malformed', 'at+jwt'],
      [{ generation: '1' }, 'access_token_claims_malformed', 'at+jwt'],
      [{ cnf: {} }, 'access_token_claims_malformed', 'at+jwt'],
      [{ exp: '4e9' }, 'access_token_claims_malformed', 'at+jwt'],
      [{}, 'access_token_client_unknown', 'at+jwt'],
    ] as const) {
      await expectInvalid(await useToken(service, await sign(changed, typ)), reason)
    }
  })

  test('what is no token at all, or larger than any', async () => {
    for (const text of ['x', 'a.b', 'a.b.c.d', '....', `${encode({ alg: 'ES256' })}.W10.AA`]) {
      await expectInvalid(await useToken(service, text), 'access_token_malformed')
    }
    await expectInvalid(await useToken(service, 'a'.repeat(12_289)), 'access_token_too_large')
    const twice = `${Buffer.from('{"alg":"ES256","alg":"ES256"}').toString('base64url')}.e30.AA`
    await expectInvalid(await useToken(service, twice), 'access_token_malformed')
  })
})

describe('a token ends', () => {
  test('when it says so', async () => {
    const clientId = await addClient(service)
    const token = await getToken(clientId)
    expect((await useToken(service, token)).status).toBe(200)
    service.clock.advance(606)
    await expectInvalid(await useToken(service, token), 'access_token_expired')
  })

  test('with its client, in every process, within five seconds', async () => {
    const other = await createTestService({ database, clock: service.clock })
    const clientId = await addClient(service)
    const token = await getToken(clientId)
    expect((await useToken(other, token)).status).toBe(200)
    const now = service.clock.now()
    await service.services.store.disableClient({ clientId, by: 'test', now })
    service.clock.advance(5)
    for (const one of [service, other]) {
      await expectInvalid(await useToken(one, token), 'access_token_client_disabled')
    }
  })

  test('when the secret is rotated without an overlap, and not when there is one', async () => {
    const clientId = await addClient(service)
    const token = await getToken(clientId)
    const now = service.clock.now()
    const change = { clientId, secretHash: hashClientSecret('new'), by: 'test', now }
    const rotate = (until: Date) =>
      service.services.store.rotateClientSecret({ ...change, until, expiresAt: null })
    expect(await rotate(new Date(now.getTime() + 60_000))).toBe('applied')
    service.clock.advance(5)
    expect((await useToken(service, token)).status).toBe(200)
    expect(await rotate(now)).toBe('applied')
    service.clock.advance(5)
    await expectInvalid(await useToken(service, token), 'access_token_superseded')
  })

  test('when the key that signed it is retired', async () => {
    const token = await getToken(await addClient(service))
    expect((await useToken(service, token)).status).toBe(200)
    await service.query(`update signing_key set retired_at = now() where use = 'access-token'`)
    service.clock.advance(30)
    await expectInvalid(await useToken(service, token), 'access_token_key_unknown')
    await service.query(`delete from signing_key where use = 'access-token'`)
    await service.services.keyRing.reread()
  })
})

test('a database that is away makes 503 of a valid token, and never 401', async () => {
  let isAway = false
  const outage = () => new StoreError(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }))
  const other = await createTestService({
    database,
    wrap: (store): Store => ({
      ...store,
      findClient: (id) => (isAway ? Promise.reject(outage()) : store.findClient(id)),
      listSigningKeys: () => (isAway ? Promise.reject(outage()) : store.listSigningKeys()),
    }),
  })
  const clientId = await addClient(other)
  const token = await getToken(clientId, other)
  isAway = true
  other.clock.advance(31)
  const answer = await useToken(other, token)
  expect(answer.status).toBe(503)
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  const asked = await askForToken(other, clientId)
  expect(asked.status).toBe(503)
  expect(await asked.json()).toMatchObject({ error: 'temporarily_unavailable' })
  isAway = false
  other.clock.advance(2)
  expect((await useToken(other, token)).status).toBe(200)
})
