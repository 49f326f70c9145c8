import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MOST_REVOKED_TOKENS } from '../../../src/store/system/clients.ts'
import type { Json } from '../../support/json.ts'
import { expectOk, noteReason } from '../../support/refusal.ts'
import { basic, createTestService, startDevice, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { addClient, askForToken, getBoundToken, makeKey, postForm, useToken } from './world.ts'

let database: TestDatabase
let service: TestService
let other: TestService
beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database })
  other = await createTestService({ database, clock: service.clock })
})
afterAll(() => database?.close())

const as = (clientId: string) => ({ headers: { authorization: basic(clientId, 'right') } })
const revoke = (clientId: string, token: string, by = service) =>
  postForm(by, '/oauth/revoke', { token }, as(clientId))
const introspect = async (clientId: string, token: string) => {
  const answer = await postForm(service, '/oauth/introspect', { token }, as(clientId))
  expect(answer.status).toBe(200)
  return (await answer.json()) as Json
}
async function getToken(clientId: string): Promise<string> {
  const { access_token: token } = (await (await askForToken(service, clientId)).json()) as Json
  return token
}

describe('revocation (RFC 7009)', () => {
  test('ends a token here at once, and in another process within five seconds', async () => {
    const clientId = await addClient(service)
    const [token, kept] = [await getToken(clientId), await getToken(clientId)]
    expect((await useToken(other, token)).status).toBe(200)
    const answer = await revoke(clientId, token)
    expect({ status: answer.status, body: await answer.text() }).toEqual({ status: 200, body: '' })
    expect((await useToken(service, token)).status).toBe(401)
    service.clock.advance(5)
    const refused = await useToken(other, token)
    expect(refused.headers.get('www-authenticate')).toContain('"access_token_revoked"')
    noteReason('access_token_revoked')
    expect((await useToken(other, kept)).status).toBe(200)
    const [entry] = await service.query(
      `select actor, detail->>'clientId' as client from audit where action = 'client.token-revoked'`,
    )
    expect(entry).toEqual({ actor: clientId, client: clientId })
  })

  test('of what is no token of ours, or has ended, is done already: §2.2', async () => {
    const clientId = await addClient(service)
    const token = await getToken(clientId)
    const { device_token: deviceToken } = expectOk(
      await service.agentOf(await startDevice()).attest(),
    )
    for (const text of ['x', deviceToken, `${token}x`]) {
      expect((await revoke(clientId, text)).status).toBe(200)
    }
    expect((await revoke(clientId, token)).status).toBe(200)
    expect((await revoke(clientId, token)).status).toBe(200)
    expect(
      (await service.query("select * from audit where action = 'client.token-revoked'")).length,
    ).toBe(2)
  })

  test('is for the client that the token was issued to: §2.1', async () => {
    const [owner, thief] = [await addClient(service), await addClient(service)]
    const token = await getToken(owner)
    const answer = await revoke(thief, token)
    expect(answer.status).toBe(400)
    const body = (await answer.json()) as Json
    expect(body.error).toBe('invalid_grant')
    expect(body.error_description).toMatch(/^token_of_another_client/)
    noteReason('token_of_another_client')
    expect((await useToken(service, token)).status).toBe(200)
    const nobody = await postForm(service, '/oauth/revoke', { token })
    expect(nobody.status).toBe(401)
    const none = await postForm(service, '/oauth/revoke', '', as(owner))
    expect(((await none.json()) as Json).error_description).toMatch(/^token_parameter_missing/)
    noteReason('token_parameter_missing')
  })

  test('of more tokens than are remembered ends all of the client', async () => {
    const clientId = await addClient(service)
    const token = await getToken(clientId)
    const now = service.clock.now()
    const change = { clientId, generation: 1, by: 'test', now }
    const expiresAt = new Date(now.getTime() + 600_000)
    for (let n = 0; n < MOST_REVOKED_TOKENS; n++) {
      const one = { ...change, tokenId: `tok_${n}`, expiresAt }
      expect(await service.services.store.revokeAccessToken(one)).toBe('applied')
    }
    service.clock.advance(5)
    expect((await useToken(service, token)).status).toBe(200)
    await service.services.store.revokeAccessToken({ ...change, tokenId: 'tok_more', expiresAt })
    service.clock.advance(5)
    expect((await useToken(service, token)).status).toBe(401)
    const [row] = await service.query(
      `select generation, revoked_tokens from client where client_id = '${clientId}'`,
    )
    expect(row).toEqual({ generation: 2, revoked_tokens: {} })
  })
})

describe('introspection (RFC 7662)', () => {
  test('tells a client of its token what §2.2 and RFC 9449 §6.2 name', async () => {
    const clientId = await addClient(service)
    const now = service.clock.now().getTime() / 1000
    const told = {
      active: true,
      scope: 'access.evaluate admin.read',
      client_id: clientId,
      token_type: 'Bearer',
      exp: now + 600,
      iat: now,
      sub: clientId,
      aud: service.url,
      iss: service.url,
      jti: expect.stringMatching(/^tok_/),
    }
    expect(await introspect(clientId, await getToken(clientId))).toEqual(told)
    const { token } = await getBoundToken(service, clientId, await makeKey())
    expect(await introspect(clientId, token)).toEqual({
      ...told,
      token_type: 'DPoP',
      cnf: { jkt: expect.stringMatching(/^[\w-]{43}$/) },
    })
  })

  test('tells administrators of all tokens, and other clients of none but their own', async () => {
    const owner = await addClient(service)
    const token = await getToken(owner)
    const admin = await addClient(service, { scopes: ['admin.read'] })
    expect(await introspect(admin, token)).toMatchObject({ active: true, client_id: owner })
    const stranger = await addClient(service, { scopes: ['access.evaluate'] })
    expect(await introspect(stranger, token)).toEqual({ active: false })
    expect((await postForm(service, '/oauth/introspect', { token })).status).toBe(401)
  })

  test('says no more than inactive of what does not count', async () => {
    const clientId = await addClient(service)
    const [revoked, expired] = [await getToken(clientId), await getToken(clientId)]
    await revoke(clientId, revoked)
    expect(await introspect(clientId, revoked)).toEqual({ active: false })
    service.clock.advance(606)
    expect(await introspect(clientId, expired)).toEqual({ active: false })
    expect(await introspect(clientId, 'x')).toEqual({ active: false })
  })
})
