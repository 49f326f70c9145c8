import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { makeSignInLink } from '../../../src/operations/people/link.ts'
import { noteReason } from '../../support/refusal.ts'
import { createTestService, type TestService } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import { openBrowser, type Visited } from './world.ts'

/** No issuer is set: whoever runs the machine signs in by a link, once. */

const database = await openTestDatabase()
const service = await createTestService({ database })
afterAll(() => database.close())
beforeEach(() => service.clock.advance(3600))

const HOME = 'http://localhost:8080/console'
const COOKIE = 'countersign-console'

function linkOf({ services }: TestService = service) {
  const { sealing, config, clock, random } = services
  const keys = { link: sealing.consoleLink }
  return makeSignInLink({ keys, publicUrl: config.publicUrl, clock, random })
}

function expectReason(visited: Visited, status: number, reason: string): void {
  expect(visited.answer.status, visited.text).toBe(status)
  expect(visited.text).toContain(`<code>${reason}</code>`)
  noteReason(reason)
}

describe('a one-time link', () => {
  test('signs in the owner of the machine, once, and leaves the address of the page', async () => {
    const { url } = await linkOf()
    const browser = openBrowser(service)
    const page = await browser.open(url)
    expect([page.answer.status, page.url]).toEqual([200, HOME])
    expect(page.text).toContain('owner of this machine')
    const audit = await service.query(
      "select actor, detail from audit where action = 'person.signed-in'",
    )
    expect(audit).toMatchObject([{ actor: 'person:local:owner', detail: { by: 'link' } }])
    expectReason(await browser.get(url), 410, 'console_link_spent')
    expectReason(await openBrowser(service).get(url), 410, 'console_link_spent')
    expect((await browser.get(HOME)).answer.status).toBe(200)
  })

  test('is used by one of many who come at once', async () => {
    const { url } = await linkOf()
    const visits = await Promise.all(Array.from({ length: 8 }, () => openBrowser(service).get(url)))
    expect(visits.map(({ answer }) => answer.status).toSorted()).toEqual([
      303,
      ...Array(7).fill(410),
    ])
  })

  test('counts for a quarter of an hour', async () => {
    const { url, until } = await linkOf()
    expect(until.getTime() - service.clock.now().getTime()).toBe(900_000)
    service.clock.advance(901)
    expectReason(await openBrowser(service).get(url), 410, 'console_link_expired')
  })

  test('is none that was changed, and is not used up by looking ahead', async () => {
    const { url } = await linkOf()
    for (const wrong of [`${url.slice(0, -2)}AA`, `${HOME}/link`, `${HOME}/link?token=x`]) {
      expectReason(await openBrowser(service).get(wrong), 403, 'console_link_refused')
    }
    const { pathname, search } = new URL(url)
    expect((await service.request(pathname + search, { method: 'HEAD' })).status).toBe(204)
    expect((await openBrowser(service).open(url)).answer.status).toBe(200)
  })

  test.each([
    ['PUBLIC_URL', { PUBLIC_URL: 'https://pdp.example' }],
    ['HOST', { HOST: '0.0.0.0', PUBLIC_URL: 'http://localhost:8080' }],
    [
      'an issuer',
      {
        CONSOLE_ISSUER: 'http://127.0.0.1:1/',
        CONSOLE_CLIENT_ID: 'c',
        CONSOLE_ROLES: '{"a":"owner"}',
      },
    ],
  ])(
    'lets nobody in where others than this machine come, or an issuer knows them: %s',
    async (_, env) => {
      const { url } = await linkOf()
      const other = await createTestService({ database, clock: service.clock, env })
      const target = url.replace('http://localhost:8080', new URL(other.url).origin)
      expectReason(await openBrowser(other).get(target), 403, 'console_link_not_allowed')
      // Nor does a session that was begun by one before.
      const browser = openBrowser(service)
      await browser.open(url)
      const { cookies } = openBrowser(other)
      const jar = cookies(other.url)
      const name = other.url.startsWith('https:') ? `__Host-${COOKIE}` : COOKIE
      jar.set(name, browser.cookies(HOME).get(COOKIE) ?? '')
      const headers = { cookie: `${name}=${jar.get(name)}`, 'user-agent': 'Browser/1.0' }
      const answer = await other.request('/console', { headers })
      expect([answer.status, await answer.text()]).toEqual([
        401,
        expect.stringContaining('<code>session_ended</code>'),
      ])
    },
  )
})

describe('without an issuer', () => {
  test('nobody is sent anywhere: the page says how to sign in', async () => {
    const browser = openBrowser(service)
    const page = await browser.get(`${HOME}/sign-in`)
    expect(page.answer.status).toBe(200)
    expect(page.text).toContain('people link')
    expect((await browser.get(HOME)).answer.status).toBe(401)
  })

  test('and without TLS, on a loopback address, cookies have no prefix and are for HTTP', async () => {
    const { url } = await linkOf()
    const { answer } = await openBrowser(service).get(url)
    expect(answer.headers.getSetCookie()[0]).toMatch(
      /^countersign-console=[\w.-]+; Path=\/; HttpOnly; SameSite=Lax$/,
    )
    expect(answer.headers.has('strict-transport-security')).toBe(false)
  })
})
