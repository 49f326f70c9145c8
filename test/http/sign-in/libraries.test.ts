import * as client from 'openid-client'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { hashClientSecret } from '../../../src/keys/client-secret.ts'
import { expectOk, noteReason } from '../../support/refusal.ts'
import { basic, readOk, START, startDevice, testClock } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import {
  type Begun,
  createSignInService,
  OKTA_CLIENT,
  OKTA_REDIRECT,
  prove,
  readAnswerForm,
} from './world.ts'

/**
 * An identity provider that nobody here wrote, as far as it asks others: openid-client discovers us, makes its
 * requests, and takes an ID token only after it has verified it by our keys, its nonce and its state.
 */

const database = await openTestDatabase()
// The library looks at the clock of the machine.
const clock = testClock(new Date())
const { service } = await createSignInService({ database, clock })
const device = await startDevice()
const proven = expectOk(await service.agentOf(device).attest())
await service.services.store.createClient({
  ...{ clientId: OKTA_CLIENT, name: 'okta', scopes: ['access.evaluate'], by: 'test', now: START },
  secretHash: hashClientSecret('right'),
})
afterAll(() => database.close())
beforeEach(() => clock.set(new Date()))

const ISSUER = new URL('https://pdp.example/sign-in')
const inProcess: client.CustomFetch = async (url, options) =>
  service.app.fetch(new Request(url, options as RequestInit))

async function discover(authentication: client.ClientAuth): Promise<client.Configuration> {
  const options = { [client.customFetch]: inProcess }
  const config = await client.discovery(ISSUER, OKTA_CLIENT, {}, authentication, options)
  // Signatures too, of what comes straight from us.
  client.enableNonRepudiationChecks(config)
  return config
}

/** Follows the library's request in a browser, with a device, to the page that goes back. */
async function signIn(url: URL): Promise<string> {
  const begun = await service.request(url.pathname + url.search)
  const path = begun.headers.get('location') ?? ''
  const [cookie = ''] = (begun.headers.get('set-cookie') ?? '').split(';')
  const browser: Begun = { path, cookie, id: path.replace('/sign-in/', '') }
  const { continue_url: next } = await prove(service, { device, attested: proven, id: browser.id })
  const answer = await service.request(next.replace('https://pdp.example', ''), {
    headers: { cookie },
  })
  return answer.text()
}

async function askForCode(config: client.Configuration) {
  const verifier = client.randomPKCECodeVerifier()
  const [state, nonce] = [client.randomState(), client.randomNonce()]
  const url = client.buildAuthorizationUrl(config, {
    ...{ redirect_uri: OKTA_REDIRECT, scope: 'openid', state, nonce },
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  const [, href = ''] = /<a id="answer"[^>]* href="([^"]*)"/.exec(await signIn(url)) ?? []
  return { verifier, state, nonce, back: new URL(href.replaceAll('&amp;', '&')) }
}

describe('openid-client', () => {
  test.each([
    ['client_secret_basic', client.ClientSecretBasic('right')],
    ['client_secret_post', client.ClientSecretPost('right')],
  ])('redeems a code for an ID token that it verifies, by %s', async (_name, authentication) => {
    const config = await discover(authentication)
    const { verifier, state, nonce, back } = await askForCode(config)
    const tokens = await client.authorizationCodeGrant(config, back, {
      ...{ pkceCodeVerifier: verifier, expectedNonce: nonce, expectedState: state },
    })
    expect(tokens.claims()).toMatchObject({
      iss: ISSUER.href,
      aud: OKTA_CLIENT,
      device_context: { managed: true, compliant: true, externalId: proven.device_id },
    })
  })

  test('takes the ID token of a posted form', async () => {
    const config = await discover(client.None())
    client.useIdTokenResponseType(config)
    const [state, nonce] = [client.randomState(), client.randomNonce()]
    const url = client.buildAuthorizationUrl(config, {
      ...{ redirect_uri: OKTA_REDIRECT, scope: 'openid', response_mode: 'form_post' },
      ...{ state, nonce },
    })
    const { action, fields } = readAnswerForm(await signIn(url))
    const posted = new Request(action, { method: 'POST', body: new URLSearchParams(fields) })
    const claims = await client.implicitAuthentication(config, posted, nonce, {
      expectedState: state,
    })
    expect(claims.sub).toBe(proven.device_id)
  })
})

describe('a code', () => {
  const redeem = (form: Record<string, string>, authorization = basic(OKTA_CLIENT, 'right')) =>
    service.request('/sign-in/token', {
      method: 'POST',
      body: new URLSearchParams(form).toString(),
      headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
    })

  async function code() {
    const { verifier, back } = await askForCode(await discover(client.None()))
    return {
      grant_type: 'authorization_code',
      code: back.searchParams.get('code') ?? '',
      redirect_uri: OKTA_REDIRECT,
      code_verifier: verifier,
    }
  }

  async function refused(answer: Response, reason: string) {
    const { error, error_description: description } = (await answer.json()) as Record<
      string,
      string
    >
    expect(answer.status).toBe(400)
    expect(description).toMatch(new RegExp(`^${reason}: `))
    noteReason(reason)
    return error
  }

  test('is redeemed once, of any number of tries at once', async () => {
    const form = await code()
    const answers = await Promise.all([redeem(form), redeem(form), redeem(form)])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400])
    expect(await refused(await redeem(form), 'sign_in_code_redeemed')).toBe('invalid_grant')
  })

  test('is worth nothing to whoever cannot say what the request said', async () => {
    const form = await code()
    const without: Record<string, string> = { ...form }
    delete without.code_verifier
    await refused(await redeem(without), 'sign_in_code_verifier_refused')
    const other = { ...form, code_verifier: client.randomPKCECodeVerifier() }
    await refused(await redeem(other), 'sign_in_code_verifier_refused')
    const elsewhere = { ...form, redirect_uri: 'https://evil.example/' }
    await refused(await redeem(elsewhere), 'sign_in_code_of_another')
    await refused(await redeem({ ...form, code: 'x' }), 'sign_in_code_refused')
    const grant = await redeem({ ...form, grant_type: 'client_credentials' })
    expect(await refused(grant, 'sign_in_grant_type_refused')).toBe('unsupported_grant_type')
    await readOk(await redeem(form))
  })

  test('is worth nothing to another client, without a secret, or after a minute', async () => {
    const form = await code()
    expect((await redeem(form, basic(OKTA_CLIENT, 'wrong'))).status).toBe(401)
    const other = (await service.as('access.evaluate')).authorization
    await refused(await redeem(form, other), 'sign_in_code_of_another')
    clock.advance(60)
    await refused(await redeem(form), 'sign_in_code_expired')
  })
})
