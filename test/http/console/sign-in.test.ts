import { generateKeyPair } from 'jose'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { Json } from '../../support/json.ts'
import { noteReason } from '../../support/refusal.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import {
  type Browser,
  createConsoleService,
  type IdpPerson,
  OTHER_CLIENT,
  openBrowser,
  PUBLIC_URL,
  startIdp,
  type Visited,
} from './world.ts'

/** oidc-provider says who somebody is; its users, codes, tokens and redirects are its own. */

const database = await openTestDatabase()
const idp = await startIdp()
const service = await createConsoleService(idp, { database })
afterAll(async () => {
  await idp.close()
  await database.close()
})
beforeEach(() => {
  service.clock.set(new Date())
  idp.person = ALICE
  idp.alter = undefined
  idp.isDown = false
})

const ALICE: IdpPerson = { sub: 'alice', name: 'Alice Example', roles: ['cs-owner'] }
const MALLORY: IdpPerson = { sub: 'mallory', name: 'Mallory', roles: ['cs-viewer'] }
const HOME = `${PUBLIC_URL}/console`
const CALLBACK = `${HOME}/callback`
const COOKIE = '__Host-countersign-console'

/** A page that says a reason in place of what was asked for. */
function expectReason(visited: Visited, status: number, reason: string): void {
  expect(visited.answer.status, visited.text).toBe(status)
  expect(visited.text).toContain(`<code>${reason}</code>`)
  noteReason(reason)
}

/** A request by a script of a page, which is answered and not sent elsewhere. */
const byScript = { 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' }

async function signedIn(person = ALICE, userAgent?: string): Promise<Browser> {
  idp.person = person
  const browser = openBrowser(service, userAgent)
  const page = await browser.open(HOME)
  expect(page.answer.status, page.text).toBe(200)
  return browser
}

/** The answer of the issuer, on its way: the browser has not gone there yet. */
async function answerOfIssuer(browser: Browser, from = `${HOME}/sign-in`): Promise<URL> {
  let visited = await browser.get(from)
  while (visited.next !== undefined && !visited.next.startsWith(CALLBACK)) {
    visited = await browser.get(visited.next)
  }
  return new URL(visited.next ?? '')
}

const lastAudit = async (action: string): Promise<Json> =>
  (
    await service.query(
      `select actor, detail from audit where action = '${action}' order by at desc, audit_id desc limit 1`,
    )
  )[0]

/** Of each session of somebody, the youngest first. */
const rolesOf = async (name: string): Promise<readonly (readonly string[])[]> => {
  const answer = await service.request('/v1/sessions', { headers: await service.as('admin.read') })
  const { sessions } = (await answer.json()) as Json
  return sessions.filter((one: Json) => one.name === name).map(({ roles }: Json) => roles)
}

describe('somebody who opens the console', () => {
  test('is sent to the issuer, comes back to the page that was asked for, and is known there', async () => {
    const browser = openBrowser(service)
    const page = await browser.open(`${HOME}?since=7d`)
    expect(page.answer.status, page.text).toBe(200)
    expect(page.url).toBe(`${HOME}?since=7d`)
    expect(page.text).toContain('Alice Example')
    expect(page.path.some((url) => url.startsWith(`${idp.url}/auth?`))).toBe(true)
    expect(await lastAudit('person.signed-in')).toMatchObject({
      actor: expect.stringMatching(/^person:[a-z2-7]{10}:alice$/),
      detail: {
        by: 'issuer',
        name: 'Alice Example',
        roles: ['owner'],
        session: expect.stringMatching(/^ses_/),
        requestId: expect.any(String),
        browser: 'Browser/1.0',
        address: 'unknown',
      },
    })
  })

  test('asks by the code flow, with a state, a nonce and a challenge of its own', async () => {
    const asked = await openBrowser(service).get(`${HOME}/sign-in`)
    const other = await openBrowser(service).get(`${HOME}/sign-in`)
    const query = Object.fromEntries(new URL(asked.next ?? '').searchParams)
    expect(query).toMatchObject({
      response_type: 'code',
      client_id: 'countersign-console',
      redirect_uri: CALLBACK,
      scope: 'openid profile email',
      code_challenge_method: 'S256',
    })
    const again = new URL(other.next ?? '').searchParams
    for (const name of ['state', 'nonce', 'code_challenge']) {
      expect(query[name]?.length).toBeGreaterThanOrEqual(43)
      expect(again.get(name)).not.toBe(query[name])
    }
    // Sealed: neither what it comes back with nor where it goes on can be read.
    expect(query.state).toMatch(/^eyJ[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/)
  })

  test('gets a cookie for this host alone, out of reach of scripts', async () => {
    const browser = openBrowser(service)
    const answer = await browser.get((await answerOfIssuer(browser)).href)
    const [line = ''] = answer.answer.headers.getSetCookie()
    expect(line).toMatch(
      /^__Host-countersign-console=[\w.-]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    )
    expect(answer.answer.headers.get('cache-control')).toBe('no-store')
    expect(line).not.toContain('alice')
  })

  test('gets pages whose headers let in our own script and style, and name nobody else', async () => {
    const browser = await signedIn()
    const { answer } = await browser.get(HOME)
    const policy = answer.headers.get('content-security-policy') ?? ''
    expect(policy).toMatch(
      /^default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; script-src 'nonce-[\w+/=]+'; style-src 'nonce-[\w+/=]+'; img-src 'self'; connect-src 'self'$/,
    )
    const told = [...answer.headers].map((pair) => pair.join(': ')).join('\n')
    expect(told).not.toMatch(/https?:\/\//)
    expect(answer.headers.get('referrer-policy')).toBe('same-origin')
    expect(answer.headers.get('strict-transport-security')).toBe('max-age=31536000')
    expect(answer.headers.get('x-frame-options')).toBe('DENY')
  })

  test('is told on a page of the console what is not there', async () => {
    const browser = await signedIn()
    expect((await browser.get(`${HOME}/nothing-of-this-name`)).answer.status).toBe(404)
  })
})

describe('nobody comes in', () => {
  test('without a role, and the audit says who was refused', async () => {
    idp.person = { sub: 'bob', name: 'Bob', roles: ['other-group'] }
    const page = await openBrowser(service).open(HOME)
    expectReason(page, 403, 'console_role_missing')
    expect(await lastAudit('person.refused')).toMatchObject({
      actor: expect.stringMatching(/:bob$/),
      detail: { reason: 'console_role_missing', requestId: expect.any(String) },
    })
    for (const roles of [undefined, 'cs-owne', { 'cs-owner': true }, [['cs-owner']], 7]) {
      idp.person = { sub: 'bob', roles }
      expectReason(await openBrowser(service).open(HOME), 403, 'console_role_missing')
    }
  })

  test('by a forged state', async () => {
    const browser = openBrowser(service)
    const back = await answerOfIssuer(browser)
    const session = (await signedIn()).cookies(PUBLIC_URL).get(COOKIE) ?? ''
    const state = back.searchParams.get('state') ?? ''
    for (const forged of ['', 'x', `${state.slice(0, -2)}AA`, session]) {
      back.searchParams.set('state', forged)
      expectReason(await browser.get(back.href), 400, 'console_state_refused')
    }
    expect(browser.cookies(PUBLIC_URL).has(COOKIE)).toBe(false)
    expect(await lastAudit('person.refused')).toMatchObject({
      actor: 'unknown',
      detail: { reason: 'console_state_refused' },
    })
  })

  test('by a forged nonce', async () => {
    idp.alter = alterIdToken({ nonce: 'of another sign-in' })
    expectReason(await openBrowser(service).open(HOME), 403, 'console_nonce_refused')
    idp.alter = alterIdToken({ nonce: undefined })
    expectReason(await openBrowser(service).open(HOME), 403, 'console_id_token_refused')
  })

  test('by the code of somebody else, put into a sign-in of their own', async () => {
    const victim = openBrowser(service)
    const stolen = (await answerOfIssuer(victim)).searchParams.get('code') ?? ''
    idp.person = MALLORY
    const attacker = openBrowser(service)
    const own = await answerOfIssuer(attacker)
    own.searchParams.set('code', stolen)
    expectReason(await attacker.get(own.href), 403, 'console_code_refused')
    expect(attacker.cookies(PUBLIC_URL).has(COOKIE)).toBe(false)
  })

  test('by the answer of somebody else: the victim is not signed in as the attacker', async () => {
    idp.person = MALLORY
    const planted = await answerOfIssuer(openBrowser(service))
    const victim = openBrowser(service)
    expectReason(await victim.get(planted.href), 403, 'console_browser_refused')
    // A browser that began a sign-in of its own is another one too.
    await victim.get(`${HOME}/sign-in`)
    expectReason(await victim.get(planted.href), 403, 'console_browser_refused')
    expect(victim.cookies(PUBLIC_URL).has(COOKIE)).toBe(false)
  })

  test('by an answer of another issuer, or of nobody who says so (RFC 9207)', async () => {
    const browser = openBrowser(service)
    const back = await answerOfIssuer(browser)
    expect(back.searchParams.get('iss')).toBe(idp.url)
    for (const iss of ['https://evil.example', `${idp.url}/`, undefined]) {
      const mixed = new URL(back)
      mixed.searchParams.delete('iss')
      if (iss !== undefined) mixed.searchParams.set('iss', iss)
      expectReason(await browser.get(mixed.href), 403, 'console_issuer_mixed_up')
    }
    const twice = new URL(back)
    twice.searchParams.append('iss', 'https://evil.example')
    expectReason(await browser.get(twice.href), 403, 'console_issuer_mixed_up')
    idp.alter = alterIdToken({ iss: 'https://evil.example' })
    expectReason(await browser.get(back.href), 403, 'console_issuer_mixed_up')
  })

  test('by an ID token for another client of the same issuer', async () => {
    for (const aud of [OTHER_CLIENT, [OTHER_CLIENT], [OTHER_CLIENT, 'countersign-console']]) {
      idp.alter = alterIdToken({ aud })
      expectReason(await openBrowser(service).open(HOME), 403, 'console_audience_refused')
    }
  })

  test('by an ID token that the issuer did not sign, or that is over', async () => {
    const { privateKey } = await generateKeyPair('RS256')
    idp.alter = async (path, body) =>
      alterToken(path, body, (claims) => idp.sign(claims, privateKey))
    expectReason(await openBrowser(service).open(HOME), 403, 'console_id_token_refused')
    const none = (claims: Json) =>
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`
    idp.alter = async (path, body) => alterToken(path, body, async (claims) => none(claims))
    expectReason(await openBrowser(service).open(HOME), 403, 'console_id_token_refused')
    idp.alter = alterIdToken({ exp: Math.floor(Date.now() / 1000) - 3600 })
    expectReason(await openBrowser(service).open(HOME), 403, 'console_id_token_refused')
  })

  test('too late, or twice by one sign-in', async () => {
    const browser = openBrowser(service)
    const begun = await browser.get(`${HOME}/sign-in`)
    const first = await answerOfIssuer(browser, begun.next)
    expect((await browser.get(first.href)).answer.status).toBe(303)
    await browser.post(`${HOME}/sign-out`)
    // The issuer gives another code for the same question; the sign-in is used up all the same.
    const second = await answerOfIssuer(browser, begun.next)
    expect(second.searchParams.get('code')).not.toBe(first.searchParams.get('code'))
    expectReason(await browser.get(second.href), 400, 'console_sign_in_repeated')
    const late = await answerOfIssuer(browser)
    service.clock.advance(601)
    expectReason(await browser.get(late.href), 410, 'console_sign_in_expired')
  })

  test('where the issuer lets nobody in, and says so', async () => {
    const browser = openBrowser(service)
    const back = await answerOfIssuer(browser)
    back.searchParams.delete('code')
    back.searchParams.set('error', 'access_denied')
    expectReason(await browser.get(back.href), 403, 'console_issuer_refused')
  })

  test('while the issuer is away, and whoever is in stays in', async () => {
    const browser = await signedIn()
    const waiting = openBrowser(service)
    const back = await answerOfIssuer(waiting)
    idp.isDown = true
    const answer = await waiting.get(back.href)
    expectReason(answer, 503, 'console_issuer_unavailable')
    expect(Number(answer.answer.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await browser.get(HOME)).answer.status).toBe(200)
  })

  test('where the issuer does not take our secret', async () => {
    const env = { CONSOLE_CLIENT_SECRET: 'another one' }
    const wrong = await createConsoleService(idp, { database, clock: service.clock, env })
    expectReason(await openBrowser(wrong).open(HOME), 500, 'console_client_refused')
  })
})

describe('where a sign-in leads to', () => {
  test.each([
    'https://evil.example/console',
    '//evil.example/console',
    '/\\evil.example',
    '/console/..//evil.example',
    '/console/%2e%2e/v1/policy',
    '/console@evil.example',
    '/consoles',
    'javascript:alert(1)',
    '/console/sign-out',
    '/console/callback?code=x',
    '/console\r\nset-cookie: a=b',
    `/console?${'x'.repeat(3000)}`,
  ])('is no other place than a page of the console: %s', async (place) => {
    const browser = openBrowser(service)
    const back = await answerOfIssuer(
      browser,
      `${HOME}/sign-in?return_to=${encodeURIComponent(place)}`,
    )
    expect((await browser.get(back.href)).next).toBe(HOME)
  })

  test('is the page that was asked for, with what was asked of it', async () => {
    const browser = openBrowser(service)
    const place = '/console/devices?verdict=untrusted&label=a%20b'
    const page = await browser.open(`${PUBLIC_URL}${place}`)
    expect(page.path.at(-1)).toBe(`${PUBLIC_URL}${place}`)
  })
})

describe('a session', () => {
  test('is another one after a sign-in than before it: one that was planted gains nothing', async () => {
    const attacker = await signedIn(MALLORY)
    const planted = attacker.cookies(PUBLIC_URL).get(COOKIE) ?? ''
    idp.person = ALICE
    const victim = openBrowser(service)
    victim.cookies(PUBLIC_URL).set(COOKIE, planted)
    await victim.open(`${HOME}/sign-in`)
    expect((await victim.get(HOME)).text).toContain('Alice Example')
    expect(victim.cookies(PUBLIC_URL).get(COOKIE)).not.toBe(planted)
    // It counts for nobody any more.
    expectReason(await attacker.get(HOME), 401, 'session_ended')
  })

  test('counts no more after a sign-out, in any copy of its cookie', async () => {
    const browser = await signedIn()
    const copy = browser.cookies(PUBLIC_URL).get(COOKIE) ?? ''
    const out = await browser.post(`${HOME}/sign-out`)
    expect([out.answer.status, out.next]).toEqual([303, `${HOME}/signed-out`])
    expect(browser.cookies(PUBLIC_URL).has(COOKIE)).toBe(false)
    const thief = openBrowser(service)
    thief.cookies(PUBLIC_URL).set(COOKIE, copy)
    expectReason(await thief.get(HOME), 401, 'session_ended')
    expect(thief.cookies(PUBLIC_URL).has(COOKIE)).toBe(false)
    expect(await lastAudit('person.signed-out')).toMatchObject({
      actor: expect.stringMatching(/:alice$/),
      detail: { session: expect.stringMatching(/^ses_/), requestId: expect.any(String) },
    })
  })

  test('is ended by nothing that another site posts, and by no other method', async () => {
    const browser = await signedIn()
    for (const headers of [
      { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
      { origin: 'https://evil.pdp.example', 'sec-fetch-site': 'same-site' },
      { origin: 'null' },
      {},
    ]) {
      expectReason(await browser.post(`${HOME}/sign-out`, {}, headers), 403, 'cross_site_refused')
    }
    const posted = await browser.post(
      `${HOME}/sign-out`,
      {},
      {
        ...{ origin: 'https://evil.example', 'content-type': 'text/plain' },
      },
    )
    expectReason(posted, 403, 'cross_site_refused')
    expect((await browser.get(`${HOME}/sign-out`)).answer.status).toBe(405)
    expect((await browser.get(HOME)).answer.status).toBe(200)
  })

  test('is one of the browser that signed in, and of no other', async () => {
    const browser = await signedIn()
    const thief = openBrowser(service, 'Another/2.0')
    thief.cookies(PUBLIC_URL).set(COOKIE, browser.cookies(PUBLIC_URL).get(COOKIE) ?? '')
    expectReason(await thief.get(HOME), 401, 'session_of_another_browser')
    expect((await browser.get(HOME)).answer.status).toBe(200)
  })

  test('is none of a cookie that was changed, or made of something else that we sealed', async () => {
    const browser = await signedIn()
    const jar = browser.cookies(PUBLIC_URL)
    const cookie = jar.get(COOKIE) ?? ''
    const state = (await answerOfIssuer(openBrowser(service))).searchParams.get('state') ?? ''
    for (const changed of [`${cookie.slice(0, -2)}AA`, 'x', state, cookie.replace('A256GCM', '')]) {
      if (changed === cookie) continue
      jar.set(COOKIE, changed)
      expectReason(await browser.get(HOME), 401, 'session_malformed')
    }
    expectReason(await openBrowser(service).get(HOME, byScript), 401, 'session_missing')
  })

  test('ends when it was not used for so long, and goes on while it is', async () => {
    const browser = await signedIn()
    for (let minutes = 0; minutes < 60; minutes += 10) {
      service.clock.advance(600)
      const page = await browser.open(HOME)
      expect(page.answer.status).toBe(200)
    }
    service.clock.advance(1801)
    expectReason(await browser.get(HOME, byScript), 401, 'session_expired')
  })

  test('ends after so long whatever is done with it', async () => {
    const env = { CONSOLE_SESSION_SECONDS: '3000', CONSOLE_ROLES_SECONDS: '86400' }
    const short = await createConsoleService(idp, { database, clock: service.clock, env })
    const browser = openBrowser(short)
    await browser.open(HOME)
    for (let minutes = 0; minutes < 40; minutes += 10) {
      service.clock.advance(600)
      expect((await browser.get(HOME)).answer.status).toBe(200)
    }
    service.clock.advance(600)
    expectReason(await browser.get(HOME, byScript), 401, 'session_expired')
  })

  test('has the roles of now: they are read anew on the way, and nobody notices', async () => {
    const browser = await signedIn()
    const session = browser.cookies(PUBLIC_URL).get(COOKIE)
    idp.person = { ...ALICE, roles: ['cs-desk'] }
    expect((await rolesOf('Alice Example'))[0]).toEqual(['owner'])
    service.clock.advance(901)
    expectReason(await browser.get(HOME, byScript), 401, 'session_roles_stale')
    const page = await browser.open(HOME)
    expect(page.answer.status).toBe(200)
    expect((await rolesOf('Alice Example'))[0]).toEqual(['operator', 'approver'])
    expect(page.path.some((url) => url.startsWith(`${idp.url}/auth?`))).toBe(true)
    expect(await lastAudit('person.roles-changed')).toMatchObject({
      detail: { before: ['owner'], roles: ['operator', 'approver'] },
    })
    expect(browser.cookies(PUBLIC_URL).get(COOKIE)).not.toBe(session)
    const [{ count }] = (await service.query(
      `select count(*)::int from audit where action = 'person.signed-in' and at >= '${new Date(service.clock.now().getTime() - 901_000).toISOString()}'`,
    )) as [{ count: number }]
    expect(count).toBe(1)
  })

  test('ends where no role is left', async () => {
    const browser = await signedIn()
    const copy = browser.cookies(PUBLIC_URL).get(COOKIE) ?? ''
    idp.person = { ...ALICE, roles: [] }
    service.clock.advance(901)
    expectReason(await browser.open(HOME), 403, 'console_role_missing')
    const thief = openBrowser(service)
    thief.cookies(PUBLIC_URL).set(COOKIE, copy)
    expectReason(await thief.get(HOME), 401, 'session_ended')
  })
})

describe('all sessions of a person', () => {
  test('are listed, and ended at once by an administrator', async () => {
    const [laptop, phone] = [await signedIn(ALICE, 'Laptop/1'), await signedIn(ALICE, 'Phone/1')]
    const other = await signedIn(MALLORY)
    const owner = await service.as('admin.write')
    const { sessions } = (await (
      await service.request('/v1/sessions', { headers: owner })
    ).json()) as Json
    const { person_id: id } = sessions.find(({ name }: Json) => name === 'Alice Example')
    const own = `/v1/sessions?person=${encodeURIComponent(id)}`
    const count = async () =>
      ((await (await service.request(own, { headers: owner })).json()) as Json).sessions.length
    const before = await count()
    expect(before).toBeGreaterThanOrEqual(2)
    const end = () =>
      service.post(
        `/v1/people/${encodeURIComponent(id)}/end-sessions`,
        { reason: 'left' },
        {
          headers: owner,
        },
      )
    expect(await (await end()).json()).toEqual({ person_id: id, ended: before })
    expect(await (await end()).json()).toEqual({ person_id: id, ended: 0 })
    expect(await count()).toBe(0)
    for (const browser of [laptop, phone]) {
      expectReason(await browser.get(HOME), 401, 'session_ended')
    }
    expect((await other.get(HOME)).answer.status).toBe(200)
    expect(await lastAudit('person.sessions-ended')).toMatchObject({
      detail: { person: id, sessions: before, reason: 'left' },
    })
  })
})

/** Signs the claims of an ID token anew, changed: as the issuer itself, which is to be caught at what it says. */
function alterIdToken(changes: Readonly<Record<string, unknown>>) {
  return (path: string, body: string) =>
    alterToken(path, body, (claims) => idp.sign({ ...claims, ...changes }))
}

async function alterToken(
  path: string,
  body: string,
  sign: (claims: Json) => Promise<string>,
): Promise<string> {
  if (path !== '/token') return body
  const answer = JSON.parse(body)
  if (answer.id_token === undefined) return body
  const claims = JSON.parse(Buffer.from(answer.id_token.split('.')[1], 'base64url').toString())
  return JSON.stringify({ ...answer, id_token: await sign(claims) })
}
