import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { hashClientSecret } from '../../../src/keys/client-secret.ts'
import type { ClientKeys } from '../../../src/oauth/client-keys.ts'
import { hashOfToken } from '../../../src/oauth/dpop.ts'
import type { Scope } from '../../../src/store/store.ts'
import type { Json } from '../../support/json.ts'
import { basic, START, type TestService } from '../../support/service.ts'

/** A key of a caller, made by WebCrypto and written down by jose. */
export type CallerKey = {
  readonly privateKey: CryptoKey
  readonly jwk: Json
  readonly algorithm: string
}

export async function makeKey(algorithm = 'ES256'): Promise<CallerKey> {
  const pair = await generateKeyPair(algorithm, { extractable: true })
  return { privateKey: pair.privateKey, jwk: await exportJWK(pair.publicKey), algorithm }
}

let clients = 0

/** A client with the secret `right`, or with keys. */
export async function addClient(
  service: TestService,
  client: { readonly scopes?: readonly Scope[]; readonly keys?: ClientKeys } = {},
): Promise<string> {
  clients += 1
  const clientId = `cli_oauth_${process.pid}_${clients}`
  const { scopes = ['access.evaluate', 'admin.read'], keys } = client
  const proven = keys === undefined ? { secretHash: hashClientSecret('right') } : { keys }
  const { store } = service.services
  await store.createClient({ clientId, name: clientId, scopes, by: 'test', now: START, ...proven })
  return clientId
}

/** The keys of a client that has one, under the name `k1`. */
export function keysOf({ jwk }: CallerKey): ClientKeys {
  return { kind: 'set', jwks: { keys: [{ ...jwk, kid: 'k1' }] } }
}

export type Sent = { readonly headers?: Readonly<Record<string, string>> }

/** Sends a form, as curl or a library would. */
export function postForm(
  service: TestService,
  path: string,
  form: Readonly<Record<string, string>> | string,
  { headers = {} }: Sent = {},
): Promise<Response> {
  const body = typeof form === 'string' ? form : new URLSearchParams(form).toString()
  const type = { 'content-type': 'application/x-www-form-urlencoded' }
  return service.request(path, { method: 'POST', body, headers: { ...type, ...headers } })
}

/** Asks for a token by the secret `right`. */
export function askForToken(
  service: TestService,
  clientId: string,
  form: Readonly<Record<string, string>> = {},
  { headers = {} }: Sent = {},
): Promise<Response> {
  const asked = { grant_type: 'client_credentials', ...form }
  const authorization = basic(clientId, 'right')
  return postForm(service, '/oauth/token', asked, { headers: { authorization, ...headers } })
}

/** A DPoP proof made by jose, with any claim and header changed. RFC 9449 §4.2 */
export async function makeProof(
  service: TestService,
  key: CallerKey,
  proof: {
    readonly method?: string
    readonly path?: string
    readonly token?: string
    readonly claims?: JWTPayload
    readonly header?: Readonly<Record<string, unknown>>
  } = {},
): Promise<string> {
  const { method = 'POST', path = '/oauth/token', token, claims = {}, header = {} } = proof
  proofs += 1
  const payload = {
    jti: `proof ${proofs}`,
    htm: method,
    htu: service.url + path,
    iat: Math.floor(service.clock.now().getTime() / 1000),
    ...(token !== undefined && { ath: hashOfToken(token) }),
    ...claims,
  }
  return new SignJWT(payload)
    .setProtectedHeader({ alg: key.algorithm, typ: 'dpop+jwt', jwk: key.jwk, ...header })
    .sign(key.privateKey)
}

let proofs = 0

/** A token that is bound to a key, and the nonce that came on the way. */
export async function getBoundToken(
  service: TestService,
  clientId: string,
  key: CallerKey,
): Promise<{ readonly token: string; readonly nonce: string }> {
  const first = await askForToken(
    service,
    clientId,
    {},
    { headers: { dpop: await makeProof(service, key) } },
  )
  const nonce = first.headers.get('dpop-nonce') ?? ''
  const dpop = await makeProof(service, key, { claims: { nonce } })
  const second = await askForToken(service, clientId, {}, { headers: { dpop } })
  const { access_token: token } = (await second.json()) as Json
  return { token, nonce }
}

/** An assertion of a client, made by jose, with any claim and header changed. RFC 7523 §3 */
export async function makeAssertion(
  service: TestService,
  clientId: string,
  key: CallerKey,
  changed: {
    readonly claims?: JWTPayload
    readonly header?: Readonly<Record<string, unknown>>
  } = {},
): Promise<string> {
  proofs += 1
  const now = Math.floor(service.clock.now().getTime() / 1000)
  const payload = {
    iss: clientId,
    sub: clientId,
    aud: service.url,
    jti: `assertion ${proofs}`,
    iat: now,
    exp: now + 60,
    ...changed.claims,
  }
  return new SignJWT(payload)
    .setProtectedHeader({ alg: key.algorithm, kid: 'k1', ...changed.header })
    .sign(key.privateKey)
}

export const ASSERTED = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export function askByAssertion(
  service: TestService,
  assertion: string,
  form: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return postForm(service, '/oauth/token', {
    grant_type: 'client_credentials',
    client_assertion_type: ASSERTED,
    client_assertion: assertion,
    ...form,
  })
}

/** Asks for something that wants `admin.read`. */
export function useToken(
  service: TestService,
  token: string,
  {
    scheme = 'Bearer',
    dpop,
    path = '/v1/policy',
  }: {
    readonly scheme?: string
    readonly dpop?: string
    readonly path?: string
  } = {},
): Promise<Response> {
  const proof: Record<string, string> = dpop === undefined ? {} : { dpop }
  return service.request(path, { headers: { authorization: `${scheme} ${token}`, ...proof } })
}
