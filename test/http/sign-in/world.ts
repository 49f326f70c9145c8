import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { createPublishedKeySets } from '../../../src/keysets/key-sets.ts'
import type { AgentAttestation } from '../../../src/simulator/agent.ts'
import { proveSignIn } from '../../../src/simulator/sign-in-agent.ts'
import type { VirtualDevice } from '../../../src/simulator/virtual-device.ts'
import type { Json } from '../../support/json.ts'
import { expectOk } from '../../support/refusal.ts'
import {
  createTestService,
  type TestService,
  type TestServiceOptions,
} from '../../support/service.ts'

/** Identity providers that send a person here, as far as they can be played: what they sign is made by jose. */

export const TENANT = '0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9'
export const ENTRA_CLIENT = 'countersign-eam'
export const OKTA_CLIENT = 'countersign-posture'
/** Microsoft Learn, external authentication method provider: the one place of the global cloud. */
export const ENTRA_REDIRECT =
  'https://login.microsoftonline.com/common/federation/externalauthprovider'
export const OKTA_REDIRECT = 'https://acme.okta.com/oauth2/v1/authorize/callback'

export const SIGN_IN_ENV = {
  PUBLIC_URL: 'https://pdp.example',
  SIGN_IN_CLIENTS: JSON.stringify([
    { provider: 'entra', client_id: ENTRA_CLIENT, tenant_id: TENANT },
    { provider: 'okta', client_id: OKTA_CLIENT, redirect_uris: [OKTA_REDIRECT] },
  ]),
}

/** A tenant with a key of its own, which publishes it or cannot be reached. */
export type Tenant = {
  readonly sign: (
    claims?: JWTPayload,
    header?: Readonly<Record<string, unknown>>,
  ) => Promise<string>
  /** What the tenant publishes; `undefined` where it does not answer. */
  jwks: Json | undefined
  /** Where keys were asked for. */
  readonly asked: string[]
}

export async function makeTenant(now: () => Date): Promise<Tenant> {
  const pair = await generateKeyPair('RS256', { extractable: true })
  const jwk = await exportJWK(pair.publicKey)
  return {
    jwks: { keys: [{ ...jwk, kid: 'tenant-1', use: 'sig' }] },
    asked: [],
    sign: (claims = {}, header = {}) => signHint(pair.privateKey, now(), { claims, header }),
  }
}

/** With the claims that Microsoft documents of `id_token_hint`. */
export function signHint(
  key: CryptoKey,
  now: Date,
  { claims, header }: { claims: JWTPayload; header: Readonly<Record<string, unknown>> },
): Promise<string> {
  const iat = Math.floor(now.getTime() / 1000)
  const payload = {
    iss: `https://login.microsoftonline.com/${TENANT}/v2.0`,
    aud: ENTRA_CLIENT,
    iat,
    exp: iat + 300,
    tid: TENANT,
    oid: '11111111-2222-4333-8444-555555555555',
    preferred_username: 'ada@acme.example',
    sub: 'mBG1zY0k-pairwise',
    ...claims,
  }
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'RS256', kid: 'tenant-1', typ: 'JWT', ...header })
    .sign(key)
}

export async function createSignInService(
  options: TestServiceOptions,
): Promise<{ readonly service: TestService; readonly tenant: Tenant }> {
  const tenant = await makeTenant(() => options.clock?.now() ?? new Date())
  const fetchJson = async (url: string) => {
    tenant.asked.push(url)
    return tenant.jwks
  }
  const service = await createTestService({
    ...options,
    env: { ...SIGN_IN_ENV, ...options.env },
    alter: (services) => ({
      ...services,
      callerKeySets: createPublishedKeySets({ fetchJson, clock: services.clock }),
    }),
  })
  return { service, tenant }
}

/** The form that Entra posts, with any parameter changed; `undefined` leaves one out. */
export async function entraForm(
  tenant: Tenant,
  changed: Readonly<Record<string, string | undefined>> = {},
): Promise<Record<string, string>> {
  return given({
    scope: 'openid',
    response_type: 'id_token',
    response_mode: 'form_post',
    client_id: ENTRA_CLIENT,
    redirect_uri: ENTRA_REDIRECT,
    nonce: 'nonce of Entra',
    state: 'state of Entra',
    id_token_hint: await tenant.sign(),
    claims:
      '{"id_token":{"acr":{"essential":true,"values":["possessionorinherence"]},"amr":{"essential":true,"values":["face","fido","fpt","hwk","iris","otp","pop","retina","sc","sms","swk","tel","vbm"]}}}',
    'client-request-id': 'a2f1c0de-0000-4000-8000-000000000001',
    ...changed,
  })
}

export function oktaForm(
  changed: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> {
  return given({
    scope: 'openid',
    response_type: 'id_token',
    response_mode: 'form_post',
    client_id: OKTA_CLIENT,
    redirect_uri: OKTA_REDIRECT,
    nonce: 'nonce of Okta',
    state: 'state of Okta',
    ...changed,
  })
}

function given(form: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(form).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

export function authorize(
  service: TestService,
  form: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return service.request('/sign-in/authorize', {
    method: 'POST',
    body: new URLSearchParams(form).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  })
}

/** A browser that has begun a sign-in. */
export type Begun = { readonly id: string; readonly path: string; readonly cookie: string }

export async function begin(
  service: TestService,
  form: Readonly<Record<string, string>>,
): Promise<Begun> {
  const answer = await authorize(service, form)
  const path = answer.headers.get('location') ?? ''
  const [cookie = ''] = (answer.headers.get('set-cookie') ?? '').split(';')
  return { id: path.replace('/sign-in/', ''), path, cookie }
}

/** What a page that goes to an identity provider posts there. */
export function readAnswerForm(page: string): {
  readonly action: string
  readonly fields: Readonly<Record<string, string>>
} {
  const [, action = ''] = /<form id="answer" method="post" action="([^"]*)"/.exec(page) ?? []
  const inputs = page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)
  return { action, fields: Object.fromEntries([...inputs].map(([, name, value]) => [name, value])) }
}

/** Proves a device for a sign-in, as an agent does. */
export async function prove(
  service: TestService,
  { device, attested, id }: { device: VirtualDevice; attested: AgentAttestation; id: string },
) {
  return expectOk(
    await proveSignIn(
      {
        baseUrl: service.url,
        key: device.requestKey,
        deviceToken: () => attested.device_token,
        now: service.clock.now,
        fetch: (request) => service.app.fetch(request),
        maxAttempts: 1,
      },
      id,
    ),
  )
}
