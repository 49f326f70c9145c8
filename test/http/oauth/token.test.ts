import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Json } from '../../support/json.ts'
import { noteReason } from '../../support/refusal.ts'
import { basic, createTestService, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { addClient, askForToken, postForm, useToken } from './world.ts'

let database: TestDatabase
let service: TestService
beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database })
})
afterAll(() => database?.close())

/** RFC 6749 §5.2: status, code, and our reason at the beginning of the description. */
async function expectError(
  answer: Response,
  status: number,
  error: string,
  reason?: string,
): Promise<void> {
  const body = (await answer.json()) as Json
  expect({ status: answer.status, error: body.error }).toEqual({ status, error })
  expect(answer.headers.get('cache-control')).toBe('no-store')
  if (reason === undefined) return
  expect(body.error_description).toMatch(new RegExp(`^${reason}\\b`))
  expect(body.error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/)
  noteReason(reason)
}

describe('a token by client credentials', () => {
  test('is a short JWT of RFC 9068 §2, for this service, with the scopes of the client', async () => {
    const clientId = await addClient(service)
    const answer = await askForToken(service, clientId)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const body = (await answer.json()) as Json
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'access.evaluate admin.read',
    })
    expect(decodeProtectedHeader(body.access_token)).toEqual({
      alg: 'ES256',
      typ: 'at+jwt',
      kid: expect.any(String),
    })
    const now = service.clock.now().getTime() / 1000
    expect(decodeJwt(body.access_token)).toEqual({
      iss: service.url,
      aud: service.url,
      sub: clientId,
      client_id: clientId,
      scope: 'access.evaluate admin.read',
      jti: expect.stringMatching(/^tok_/),
      iat: now,
      exp: now + 600,
      generation: 1,
    })
    expect((await useToken(service, body.access_token)).status).toBe(200)
  })

  test('lives as long as the configuration says, and never longer than an hour', async () => {
    const env = { OAUTH_TOKEN_SECONDS: '3600' }
    const other = await createTestService({ database, env })
    const clientId = await addClient(other)
    expect(await (await askForToken(other, clientId)).json()).toMatchObject({ expires_in: 3600 })
    const tooLong = createTestService({ database, env: { OAUTH_TOKEN_SECONDS: '3601' } })
    await expect(tooLong).rejects.toThrow(/OAUTH_TOKEN_SECONDS/)
  })

  test('is asked for with id and secret form-encoded, as RFC 6749 §2.3.1 says', async () => {
    const clientId = await addClient(service)
    const authorization = basic(clientId.replaceAll('_', '%5F'), 'r%69ght')
    const asked = await askForToken(service, clientId, {}, { headers: { authorization } })
    expect(asked.status).toBe(200)
  })

  test('has fewer scopes where fewer are asked for, and never others', async () => {
    const clientId = await addClient(service)
    const fewer = await askForToken(service, clientId, { scope: 'access.evaluate' })
    const body = (await fewer.json()) as Json
    expect(body.scope).toBe('access.evaluate')
    const refused = await useToken(service, body.access_token)
    expect(refused.status).toBe(403)
    expect(refused.headers.get('www-authenticate')).toBe(
      `Bearer error="insufficient_scope", scope="admin.read", resource_metadata="${service.url}/.well-known/oauth-protected-resource"`,
    )
    for (const scope of ['admin.write', 'access.evaluate admin.write', 'x', 'admin.read  x', ' ']) {
      const asked = await askForToken(service, clientId, { scope })
      await expectError(asked, 400, 'invalid_scope', 'scope_refused')
    }
  })

  test('is for this service: RFC 8707 §2', async () => {
    const clientId = await addClient(service)
    expect((await askForToken(service, clientId, { resource: service.url })).status).toBe(200)
    const other = await askForToken(service, clientId, { resource: 'https://other.example' })
    await expectError(other, 400, 'invalid_target', 'token_resource_unknown')
  })
})

describe('a request that is none is refused as RFC 6749 §5.2 says', () => {
  const authorize = async () => ({
    headers: { authorization: basic(await addClient(service), 'right') },
  })

  test('without a grant, or with another one', async () => {
    const sent = await authorize()
    const none = await postForm(service, '/oauth/token', '', sent)
    await expectError(none, 400, 'invalid_request', 'grant_type_missing')
    const other = await postForm(service, '/oauth/token', { grant_type: 'password' }, sent)
    await expectError(other, 400, 'unsupported_grant_type', 'grant_type_unsupported')
  })

  test('with a body that is no form, or says something twice', async () => {
    const sent = await authorize()
    const json = await service.post('/oauth/token', { grant_type: 'client_credentials' }, sent)
    await expectError(json, 400, 'invalid_request', 'form_content_type_refused')
    for (const [form, reason] of [
      ['grant_type=%zz', 'form_malformed'],
      ['grant_type=%ff', 'form_malformed'],
      ['scope=%00', 'form_malformed'],
      ['grant_type=client_credentials&grant_type=client_credentials', 'form_parameter_repeated'],
      [Array.from({ length: 33 }, (_, n) => `p${n}=1`).join('&'), 'form_too_many_parameters'],
    ] as const) {
      await expectError(
        await postForm(service, '/oauth/token', form, sent),
        400,
        'invalid_request',
        reason,
      )
    }
    const long = await postForm(service, '/oauth/token', `x=${'a'.repeat(40_000)}`, sent)
    expect(long.status).toBe(413)
    expect(await long.json()).toMatchObject({ error: 'invalid_request' })
  })

  test('by a client that is not proven, which learns nothing of who exists', async () => {
    const clientId = await addClient(service)
    const wrong = { headers: { authorization: basic(clientId, 'wrong') } }
    const told: unknown[] = []
    for (const sent of [wrong, { headers: { authorization: basic('cli_nobody', 'right') } }]) {
      const answer = await postForm(service, '/oauth/token', 'grant_type=client_credentials', sent)
      expect(answer.status).toBe(401)
      expect(answer.headers.get('www-authenticate')).toMatch(/^Basic realm=/)
      told.push(await answer.json())
    }
    expect(told[0]).toEqual(told[1])
    expect(told[0]).toMatchObject({ error: 'invalid_client' })
    const none = await postForm(service, '/oauth/token', 'grant_type=client_credentials')
    await expectError(none, 401, 'invalid_client', 'client_authentication_missing')
    const odd = { headers: { authorization: 'Basic !' } }
    const malformed = await postForm(service, '/oauth/token', '', odd)
    await expectError(malformed, 401, 'invalid_client', 'client_basic_malformed')
  })

  test('with the secret where logs keep it, or with another name beside it', async () => {
    const clientId = await addClient(service)
    const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: 'right' }
    const inBody = await postForm(service, '/oauth/token', form)
    await expectError(inBody, 400, 'invalid_request', 'client_secret_in_body')
    const inQuery = await postForm(service, `/oauth/token?${new URLSearchParams(form)}`, '')
    await expectError(inQuery, 401, 'invalid_client', 'client_authentication_missing')
    const named = await askForToken(service, clientId, { client_id: 'cli_other' })
    await expectError(named, 400, 'invalid_request', 'client_id_differs')
  })

  test('and other methods, and what is not there', async () => {
    const get = await service.request('/oauth/token')
    expect(get.status).toBe(405)
    expect(await get.json()).toMatchObject({ error: 'invalid_request' })
    expect((await service.request('/oauth/authorize')).status).toBe(404)
  })
})
