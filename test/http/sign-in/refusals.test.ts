import fc from 'fast-check'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { hashOfToken } from '../../../src/oauth/dpop.ts'
import { makeDpopProof } from '../../../src/simulator/dpop-proof.ts'
import { proveSignIn, readSignInLink } from '../../../src/simulator/sign-in-agent.ts'
import type { Store } from '../../../src/store/store.ts'
import { StoreError } from '../../../src/store/store-error.ts'
import { expectOk, expectRefusal, noteReason } from '../../support/refusal.ts'
import { expectProblem, readOk, START, startDevice, testClock } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import {
  authorize,
  begin,
  createSignInService,
  ENTRA_CLIENT,
  ENTRA_REDIRECT,
  entraForm,
  OKTA_CLIENT,
  OKTA_REDIRECT,
  oktaForm,
  prove,
  readAnswerForm,
} from './world.ts'

/** Whoever asks wrongly, answers wrongly, comes from elsewhere or comes too late: each for its reason. */

const database = await openTestDatabase()
const clock = testClock()
const outage = { isOn: false }
const { service, tenant } = await createSignInService({
  database,
  clock,
  env: { ATTESTATION_VALIDITY_SECONDS: '300' },
  wrap: (store) => failing(store),
})
const device = await startDevice()
const attested = expectOk(await service.agentOf(device).attest())
afterAll(() => database.close())
beforeEach(() => {
  clock.set(START)
  outage.isOn = false
})

/** A database that cannot be reached while the outage is on. */
function failing(store: Store): Store {
  return new Proxy(store, {
    get(target, name, receiver) {
      if (name === 'forUse') return () => receiver
      const member: unknown = Reflect.get(target, name, receiver)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        if (outage.isOn)
          return Promise.reject(
            new StoreError(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })),
          )
        return Reflect.apply(member, target, args)
      }
    },
  })
}

const at = (path: string, cookie: string) =>
  service.request(path, { headers: { cookie, 'accept-language': 'en' } })
const leave = (path: string, cookie: string, form: Record<string, string> = {}) =>
  service.request(`${path}/leave`, {
    method: 'POST',
    body: new URLSearchParams(form).toString(),
    headers: { cookie, 'content-type': 'application/x-www-form-urlencoded' },
  })
const local = (url: string) => url.replace('https://pdp.example', '')

describe('an identity provider that is not registered so', () => {
  test.each([
    ['sign_in_client_unknown', { client_id: 'other' }],
    ['sign_in_redirect_uri_refused', { redirect_uri: 'https://evil.example/' }],
    ['sign_in_redirect_uri_refused', { redirect_uri: `${ENTRA_REDIRECT}/x` }],
  ])('is answered nowhere: %s', async (reason, changed) => {
    const answer = await authorize(service, await entraForm(tenant, changed))
    const page = await answer.text()
    expect(answer.status).toBe(400)
    expect(page).toContain(reason)
    expect(page).not.toContain('evil.example')
    expect(answer.headers.get('set-cookie')).toBeNull()
    expect(page).not.toContain('<form')
  })
})

describe('a registered identity provider that asks wrongly', () => {
  test.each([
    ['unsupported_response_type', { response_type: 'code' }],
    ['invalid_request', { response_mode: 'query' }],
    ['invalid_scope', { scope: 'email' }],
    ['invalid_request', { nonce: undefined }],
    ['interaction_required', { prompt: 'none' }],
    ['request_not_supported', { request: 'x' }],
    ['request_uri_not_supported', { request_uri: 'https://evil.example/' }],
    ['access_denied', { claims: '{"id_token":{"acr":{"values":["inherence"]}}}' }],
    ['invalid_request', { id_token_hint: undefined }],
    ['access_denied', { id_token_hint: 'x' }],
  ])('is told %s at its place, with its state: %o', async (error, changed) => {
    const answer = await authorize(service, await entraForm(tenant, changed))
    const { action, fields } = readAnswerForm(await answer.text())
    expect(action).toBe(ENTRA_REDIRECT)
    expect(fields).toMatchObject({ error, state: 'state of Entra' })
    expect(fields.error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/)
    expect(answer.headers.get('set-cookie')).toBeNull()
  })

  test('is told to come later while the keys of its tenant cannot be read', async () => {
    const other = await createSignInService({ database, clock })
    other.tenant.jwks = undefined
    const answer = await authorize(other.service, await entraForm(other.tenant))
    const { fields } = readAnswerForm(await answer.text())
    expect(fields).toMatchObject({ error: 'temporarily_unavailable' })
  })

  test('cannot put anything of its own into the page', async () => {
    const state = '"><script>alert(1)</script>'
    const answer = await authorize(service, oktaForm({ state, scope: 'x' }))
    const page = await answer.text()
    expect(page).not.toContain('<script>alert')
    expect(page).toContain('value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"')
  })
})

describe('an agent', () => {
  async function handIn(changed: {
    readonly id?: string
    readonly token?: string
    readonly ath?: string
    readonly nonce?: string
    readonly url?: string
    readonly key?: typeof device.requestKey
    readonly scheme?: string
  }) {
    const { id = (await begin(service, oktaForm())).id, token = attested.device_token } = changed
    const path = `/v1/sign-ins/${id}/proof`
    const { ath = hashOfToken(token), nonce = id, url = service.url + path } = changed
    const { key = device.requestKey, scheme = 'DPoP' } = changed
    const proof = { key, method: 'POST', url, nonce, ath, now: clock.now() }
    const headers = { authorization: `${scheme} ${token}`, dpop: await makeDpopProof(proof) }
    return service.post(path, {}, { headers })
  }

  test('gets a ticket for a right proof, again for the same', async () => {
    const { id } = await begin(service, oktaForm())
    for (const _ of [1, 2]) await readOk(await handIn({ id }))
  })

  test('is refused a proof for another sign-in, as one that was shown to somebody else is', async () => {
    const other = await begin(service, oktaForm())
    const problem = await expectProblem(
      await handIn({ nonce: other.id }),
      401,
      'sign_in_proof_refused',
    )
    expect(problem.detail).toBe('proof_nonce_mismatch')
  })

  test.each([
    [
      'of another key',
      async () => ({ key: (await startDevice()).requestKey }),
      'proof_key_mismatch',
    ],
    ['for another token', () => ({ ath: hashOfToken('x') }), 'dpop_token_mismatch'],
    ['for another service', () => ({ url: 'https://evil.example/v1' }), 'proof_url_mismatch'],
  ])('is refused a proof %s', async (_name, change, detail) => {
    const problem = await expectProblem(await handIn(await change()), 401, 'sign_in_proof_refused')
    expect(problem.detail).toBe(detail)
  })

  test('is refused without a device token of ours', async () => {
    for (const change of [{ scheme: 'Bearer' }, { token: 'x.y.z' }, { token: 'eyJ.eyJ.sig' }]) {
      await expectProblem(await handIn(change), 401, 'sign_in_token_refused')
    }
  })

  test('is refused for a sign-in that there is not, and for one that is over', async () => {
    const { id } = await begin(service, oktaForm())
    await expectProblem(await handIn({ id: 'sin_x' }), 404, 'sign_in_unknown')
    const none = id.replace(/^sin_.{4}/, 'sin_aaaa')
    await expectProblem(await handIn({ id: none }), 404, 'sign_in_unknown')
    const later = id.slice(0, -1) + (id.endsWith('z') ? 'y' : 'z')
    await expectProblem(await handIn({ id: later }), 404, 'sign_in_unknown')
    clock.advance(541)
    await expectProblem(await handIn({ id }), 410, 'sign_in_expired')
    noteReason('sign_in_unknown')
    noteReason('sign_in_expired')
  })

  test('opens no link but that of a sign-in, and proves nothing else', async () => {
    const { id } = await begin(service, oktaForm())
    expect(readSignInLink(`countersign:sign-in/${id}`)).toBe(id)
    const others = [`countersign:sign-in/${id}?url=x`, 'countersign:sign-in/..', `x:sign-in/${id}`]
    for (const link of others) expect(readSignInLink(link)).toBeUndefined()
    const options = { baseUrl: service.url, key: device.requestKey, deviceToken: () => 'x' }
    expectRefusal(await proveSignIn(options, '../x'), 'agent_answer_malformed')
  })
})

describe('a browser', () => {
  test('comes back with no ticket but that of its own sign-in', async () => {
    const mine = await begin(service, oktaForm())
    const other = await begin(service, oktaForm())
    const { ticket } = await prove(service, { device, attested, id: other.id })
    for (const wrong of [ticket, 'x', '']) {
      const answer = await at(`${mine.path}/continue?ticket=${wrong}`, mine.cookie)
      expect(answer.status).toBe(400)
      expect(await answer.text()).toContain('does not belong to this sign-in')
    }
    noteReason('sign_in_ticket_refused')
  })

  test('goes back after the end all the same, with an error, once', async () => {
    const { path, cookie } = await begin(service, await entraForm(tenant))
    clock.advance(541)
    const page = await at(path, cookie)
    expect(page.status).toBe(410)
    expect(await page.text()).toContain('Go back without a device')
    const { action, fields } = readAnswerForm(await (await leave(path, cookie)).text())
    expect(action).toBe(ENTRA_REDIRECT)
    expect(fields).toEqual({
      error: 'access_denied',
      error_description: 'no device was proven',
      state: 'state of Entra',
    })
    expect((await leave(path, cookie)).status).toBe(410)
  })

  test.each([
    ['Entra an error', () => entraForm(tenant), { error: 'access_denied' }],
    ['Okta what is true of the device', async () => oktaForm(), { id_token: expect.any(String) }],
  ])('that goes back with a device that is denied tells %s', async (_name, form, expected) => {
    const { id, path, cookie } = await begin(service, await form())
    const { continue_url: next, ticket } = await prove(service, { device, attested, id })
    // Its evidence ends, and its token with it.
    clock.advance(301)
    const page = await (await at(local(next), cookie)).text()
    expect(page).toContain('This device cannot be used for this sign-in yet.')
    const { fields } = readAnswerForm(await (await leave(path, cookie, { ticket })).text())
    expect(fields).toMatchObject(expected)
  })

  test('cannot be made to leave by another site, which sends no cookie', async () => {
    const { path } = await begin(service, oktaForm())
    expect((await leave(path, '')).status).toBe(403)
  })

  test('is told what to do on a page, in its language, while the database is away', async () => {
    const { path, cookie } = await begin(service, oktaForm())
    outage.isOn = true
    const headers = { cookie, 'accept-language': 'de' }
    for (const place of [path, `${path}/continue?ticket=x`]) {
      const answer = await service.request(place, { headers })
      expect(answer.status).toBe(503)
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
      const page = await answer.text()
      expect(page).toContain('Dieser Dienst kann Ihr Gerät im Moment nicht prüfen.')
      expect(page).toContain('Gehen Sie zurück zur Anwendung')
    }
    expect((await authorize(service, oktaForm())).status).toBe(503)
    await expectProblem(await at(`${path}/state`, cookie), 503, 'unavailable')
  })
})

describe('the pages', () => {
  test('load and run nothing of anybody else, stand in no frame and are kept by nobody', async () => {
    const { path, cookie } = await begin(service, oktaForm())
    const { headers } = await at(path, cookie)
    const policy = headers.get('content-security-policy') ?? ''
    const [, nonce] = /script-src 'nonce-([\w-]{22})'/.exec(policy) ?? []
    expect(policy.split('; ')).toEqual([
      "default-src 'none'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
      `style-src 'nonce-${nonce}'`,
      `script-src 'nonce-${nonce}'`,
      "connect-src 'self' http://127.0.0.1:28415",
      "form-action 'self'",
    ])
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    })
    const again = await at(path, cookie)
    expect(again.headers.get('content-security-policy')).not.toContain(nonce)
  })

  test('are not there where no identity provider is registered', async () => {
    const none = await createSignInService({ database, clock, env: { SIGN_IN_CLIENTS: '' } })
    for (const path of ['/sign-in/.well-known/openid-configuration', '/sign-in/keys']) {
      expect((await none.service.request(path)).status).toBe(404)
    }
  })
})

/** Values that the endpoints read something into, and others. */
const value = fc.oneof(
  fc.constantFrom('openid', 'id_token', 'code', 'form_post', 'query', 'none', 'S256', '{}', ''),
  fc.constantFrom('{"id_token":{"acr":{"values":[]}}}', '{"id_token":null}', 'x'.repeat(5000)),
  fc.constantFrom(OKTA_CLIENT, ENTRA_CLIENT, OKTA_REDIRECT, ENTRA_REDIRECT, '\u0000', '\ud800'),
  fc.string({ unit: 'binary', maxLength: 40 }),
)
const NAMES = [
  ...['client_id', 'redirect_uri', 'response_type', 'response_mode', 'scope', 'state', 'nonce'],
  ...['claims', 'prompt', 'id_token_hint', 'acr_values', 'code_challenge', 'grant_type', 'code'],
  ...['code_challenge_method', 'client_secret', 'code_verifier', 'ticket', 'client_assertion'],
]
const anyForm = fc
  .dictionary(fc.constantFrom(...NAMES), value, { maxKeys: 12 })
  .map((form) => new URLSearchParams(form).toString())

test('nothing that anybody sends makes the service fail', async () => {
  const { path, id, cookie } = await begin(service, oktaForm())
  const headers = { cookie, 'content-type': 'application/x-www-form-urlencoded' }
  const posts = [
    '/sign-in/authorize',
    '/sign-in/token',
    `${path}/leave`,
    `/v1/sign-ins/${id}/proof`,
  ]
  const gets = ['/sign-in/authorize', path, `${path}/continue`, `${path}/state`]
  await fc.assert(
    fc.asyncProperty(anyForm, value, async (form, text) => {
      const sent = [
        ...posts.map((at) => service.request(at, { method: 'POST', body: form, headers })),
        ...gets.map((at) => service.request(`${at}?${form}`, { headers })),
        service.request(`/sign-in/${encodeURIComponent(text.toWellFormed())}`, { headers }),
      ]
      for (const { status } of await Promise.all(sent)) expect(status).toBeLessThan(500)
    }),
    { numRuns: 60 },
  )
})
