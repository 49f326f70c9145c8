import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLIENT_REFUSALS_PER_MINUTE } from '../../../src/keys/client-directory.ts'
import { createTestService, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

let database: TestDatabase
let service: TestService
beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database })
})
afterAll(() => database?.close())

/** `authorization` by HTTP Basic, RFC 7617 §2. */
const basic = (id: string, secret: string) => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
})
const ask = (headers: Readonly<Record<string, string>>, path = '/v1/devices') =>
  service.request(path, { headers })
const idOf = ({ authorization = '' }: Readonly<Record<string, string>>) =>
  Buffer.from(authorization.slice(6), 'base64').toString().split(':')[0] ?? ''
const refusalsInLog = () =>
  service.logs
    .map((line) => JSON.parse(line))
    .filter(({ event }) => event === 'client_refused')
    .map(({ client, reason, scope }) => ({ client, reason, scope }))
const counted = async (reason: string) => {
  const text = await (await service.request('/metrics')).text()
  const line = text
    .split('\n')
    .find((one) => one.includes(`client_refusals_total{reason="${reason}"`))
  return Number(line?.split(' ').at(-1) ?? 0)
}

describe('a refused client', () => {
  test('is logged with its reason and without its secret, and counted', async () => {
    const admin = await service.as('admin.read')
    const id = idOf(admin)
    expect((await ask(basic(id, 'css_guess'))).status).toBe(401)
    expect((await ask(admin, '/v1/policy')).status).toBe(200)
    const reader = await service.as('access.evaluate')
    expect((await ask(reader, '/v1/policy')).status).toBe(403)
    expect(refusalsInLog()).toEqual([
      { client: id, reason: 'client_secret_wrong', scope: 'admin.read' },
      { client: idOf(reader), reason: 'scope_missing', scope: 'admin.read' },
    ])
    expect(service.logs.join('')).not.toContain('css_guess')
    expect(await counted('client_secret_wrong')).toBe(1)
    expect(await counted('scope_missing')).toBe(1)
  })

  test('is told to wait when it guesses on, and whoever has the secret is not kept out', async () => {
    const admin = await service.as('admin.read', 'admin.write')
    const statuses: number[] = []
    for (let guess = 0; guess < CLIENT_REFUSALS_PER_MINUTE + 5; guess++) {
      statuses.push((await ask(basic(idOf(admin), `css_${guess}`))).status)
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(CLIENT_REFUSALS_PER_MINUTE)
    const limited = await ask(basic(idOf(admin), 'css_more'))
    expect(limited.status).toBe(429)
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await ask(admin)).status).toBe(200)
    const lines = refusalsInLog().filter(({ client }) => client === idOf(admin))
    expect(lines).toHaveLength(CLIENT_REFUSALS_PER_MINUTE)
  })

  test('that is invented is counted with all that are, so that inventing fills no log', async () => {
    const before = service.logs.length
    for (let guess = 0; guess < 3 * CLIENT_REFUSALS_PER_MINUTE; guess++) {
      await ask(basic(`cli_invented${guess}`, 'css_x'))
    }
    expect(refusalsInLog().filter(({ client }) => client === 'unknown').length).toBe(
      CLIENT_REFUSALS_PER_MINUTE,
    )
    expect(service.logs.slice(before).join('')).not.toContain('cli_invented')
  })

  test('without credentials is asked for them, at no cost', async () => {
    const before = refusalsInLog().length
    const answer = await ask({})
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toMatch(/^Basic realm=/)
    for (const header of ['Digest x', 'Basic !', `Basic ${'A'.repeat(2000)}`]) {
      expect((await ask({ authorization: header })).status).toBe(401)
    }
    expect(refusalsInLog()).toHaveLength(before)
    expect(await counted('credentials_missing')).toBe(1)
    expect(await counted('credentials_malformed')).toBe(3)
  })
})
