import { createLocalJWKSet, exportJWK, importX509, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { toPem } from '../../support/certificates.ts'
import { expectOk, noteReason } from '../../support/refusal.ts'
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

/**
 * A person signs in at an identity provider and proves the device here. The shapes are those of Microsoft's page on
 * external authentication method providers and of Okta's guide on device posture; ID tokens are verified by
 * jose with the published key set alone, as the identity provider would.
 */

const database = await openTestDatabase()
const clock = testClock()
const { service, tenant } = await createSignInService({ database, clock })
const device = await startDevice()
const attested = expectOk(await service.agentOf(device).attest())
const admin = await service.as('admin.read', 'admin.write')
afterAll(() => database.close())
beforeEach(() => clock.set(START))

const at = (path: string, cookie: string, language = 'en') =>
  service.request(path, { headers: { cookie, 'accept-language': language } })

async function verify(token: string, audience: string) {
  const keys = (await readOk(await service.request('/sign-in/keys'))) as JSONWebKeySet
  return jwtVerify(token, createLocalJWKSet(keys), {
    issuer: 'https://pdp.example/sign-in',
    audience,
    algorithms: ['RS256'],
    currentDate: clock.now(),
  })
}

describe('what an identity provider finds out', () => {
  test('is what Entra asks of discovery, and nothing that is not served', async () => {
    const document = await readOk(
      await service.request('/sign-in/.well-known/openid-configuration'),
    )
    expect(document).toMatchObject({
      issuer: 'https://pdp.example/sign-in',
      authorization_endpoint: 'https://pdp.example/sign-in/authorize',
      jwks_uri: 'https://pdp.example/sign-in/keys',
      scopes_supported: ['openid'],
      response_types_supported: ['id_token', 'code'],
      response_modes_supported: ['form_post', 'query'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      claim_types_supported: ['normal'],
      grant_types_supported: ['implicit', 'authorization_code'],
      token_endpoint: 'https://pdp.example/sign-in/token',
    })
  })

  test('each key carries the certificate of its own modulus', async () => {
    const { keys } = await readOk(await service.request('/sign-in/keys'))
    expect(keys).toHaveLength(1)
    for (const key of keys) {
      expect(key).toMatchObject({ kty: 'RSA', alg: 'RS256', use: 'sig', x5c: [expect.any(String)] })
      const pem = toPem(new Uint8Array(Buffer.from(key.x5c[0], 'base64')))
      const certified = await importX509(pem, 'RS256', { extractable: true })
      expect(await exportJWK(certified)).toMatchObject({ n: key.n, e: key.e })
    }
  })
})

describe('a sign-in at Entra', () => {
  test('ends with an ID token for the person that the hint names', async () => {
    const { id, path, cookie } = await begin(service, await entraForm(tenant))
    expect((await at(path, cookie)).status).toBe(200)
    const { continue_url: next } = await prove(service, { device, attested, id })
    const answer = await at(next.replace('https://pdp.example', ''), cookie)
    const { action, fields } = readAnswerForm(await answer.text())
    expect({ action, state: fields.state }).toEqual({
      action: ENTRA_REDIRECT,
      state: 'state of Entra',
    })
    const { payload, protectedHeader } = await verify(fields.id_token ?? '', ENTRA_CLIENT)
    expect(protectedHeader).toMatchObject({ alg: 'RS256', typ: 'JWT' })
    expect(payload).toEqual({
      iss: 'https://pdp.example/sign-in',
      aud: ENTRA_CLIENT,
      sub: 'mBG1zY0k-pairwise',
      iat: START.getTime() / 1000,
      exp: START.getTime() / 1000 + 300,
      nonce: 'nonce of Entra',
      acr: 'possessionorinherence',
      amr: ['pop'],
    })
  })

  test('reads the keys of the tenant, and takes a hint whose end is past', async () => {
    const hint = await tenant.sign({ exp: START.getTime() / 1000 - 1, iat: 1_700_000_000 })
    const answer = await authorize(service, await entraForm(tenant, { id_token_hint: hint }))
    expect(answer.status).toBe(303)
    expect(new Set(tenant.asked)).toEqual(
      new Set([
        `https://login.microsoftonline.com/0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9/discovery/v2.0/keys`,
      ]),
    )
  })

  test('asks the question in one read, about the person and with the device proven', async () => {
    const { id, cookie } = await begin(service, await entraForm(tenant))
    const { continue_url: next } = await prove(service, { device, attested, id })
    service.calls.length = 0
    await at(next.replace('https://pdp.example', ''), cookie)
    expect(service.calls).toEqual(['findSignIn', 'trustRecord', 'endSignIn'])
  })

  test('is answered once', async () => {
    const { id, cookie } = await begin(service, await entraForm(tenant))
    const { continue_url: next } = await prove(service, { device, attested, id })
    const path = next.replace('https://pdp.example', '')
    const both = await Promise.all([at(path, cookie), at(path, cookie)])
    expect(both.map(({ status }) => status).sort()).toEqual([200, 410])
    noteReason('sign_in_ended')
  })
})

describe('a sign-in at Okta', () => {
  test('ends with what device assurance reads of the device', async () => {
    const { id, cookie } = await begin(service, oktaForm())
    const { continue_url: next } = await prove(service, { device, attested, id })
    const page = await (await at(next.replace('https://pdp.example', ''), cookie)).text()
    const { action, fields } = readAnswerForm(page)
    expect(action).toBe(OKTA_REDIRECT)
    const { payload } = await verify(fields.id_token ?? '', OKTA_CLIENT)
    expect(payload).toMatchObject({
      sub: attested.device_id,
      nonce: 'nonce of Okta',
      device_context: { managed: true, compliant: true, externalId: attested.device_id },
    })
  })
})

describe('a device that is denied', () => {
  async function denied(form: Record<string, string>) {
    const begun = await begin(service, form)
    const proven = await prove(service, { device, attested, id: begun.id })
    const path = `/v1/devices/${attested.device_id}`
    await readOk(await service.post(`${path}/sign-out`, { reason: 'test' }, { headers: admin }))
    const page = await at(
      proven.continue_url.replace('https://pdp.example', ''),
      begun.cookie,
      'de',
    )
    return { begun, proven, page: await page.text() }
  }

  test('says why and what to do in the language of the person, and leaves the sign-in open', async () => {
    const { page, begun } = await denied(oktaForm())
    expect(page).toContain('<html lang="de">')
    expect(page).toContain('Dieses Gerät wurde abgemeldet')
    expect(page).toContain(`href="${begun.path}"`)
    const state = await readOk(await at(`${begun.path}/state`, begun.cookie))
    expect(state).toEqual({ state: 'proven' })
  })
})

describe('a browser', () => {
  test('that did not begin the sign-in cannot go on with it, whatever ticket it has', async () => {
    const { id, path } = await begin(service, await entraForm(tenant))
    const { cookie } = await begin(service, await entraForm(tenant))
    for (const place of [path, `${path}/continue?ticket=x`]) {
      const answer = await at(place, cookie)
      expect(answer.status).toBe(403)
      expect(await answer.text()).toContain('This sign-in began in another browser.')
    }
    await expectProblem(await at(`${path}/state`, cookie), 403, 'sign_in_of_another_browser')
    expect(id).toMatch(/^sin_/)
    noteReason('sign_in_of_another_browser')
  })
})
