import * as dpop from 'dpop'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLog } from '../../../src/base/log.ts'
import { createRandomSource } from '../../../src/base/random.ts'
import { readNodeConfig } from '../../../src/config/node-config.ts'
import { startNodeService } from '../../../src/node.ts'
import { readClientKeySet } from '../../../src/oauth/client-keys.ts'
import { createClient } from '../../../src/operations/clients/create-client.ts'
import type { Scope } from '../../../src/store/store.ts'
import type { Json } from '../../support/json.ts'
import { expectOk } from '../../support/refusal.ts'

/**
 * Clients that nobody here wrote, against the running service over HTTP: openid-client and dpop get tokens and
 * use them, and oauth4webapi, as a resource server of its own, says of each token what we say of it.
 */

const environment = {
  PORT: '0',
  DATA_DIR: 'memory',
  SECRET_KEY: Buffer.alloc(32, 9).toString('base64'),
}
const log = createLog({ level: 'silent', write: () => {}, clock: () => new Date() })
let service: Awaited<ReturnType<typeof startNodeService>>
let issuer: URL
beforeAll(async () => {
  service = await startNodeService(await readNodeConfig(environment), { log })
  issuer = new URL(service.services.config.publicUrl)
})
afterAll(() => service?.close())

async function addClient(scopes: readonly Scope[], jwks?: object) {
  const { store } = service.services
  const keys = jwks && expectOk(readClientKeySet(JSON.stringify(jwks)))
  const about = { name: 'library', scopes, keys, by: 'test', now: new Date() }
  const { clientId, secret = '' } = await createClient(
    { store, random: createRandomSource() },
    about,
  )
  return { clientId, secret }
}

/** Plain HTTP, which the libraries want to be told of: the service is on loopback. */
const plain: client.DiscoveryRequestOptions = {
  algorithm: 'oauth2',
  execute: [client.allowInsecureRequests],
}
const page = () => new URL('/v1/policy', issuer)
const scope = 'admin.read'

describe('openid-client', () => {
  test('discovers us, and gets, uses, introspects and revokes a bearer token', async () => {
    const { clientId, secret } = await addClient(['admin.read', 'access.evaluate'])
    const by = client.ClientSecretBasic(secret)
    const config = await client.discovery(issuer, clientId, secret, by, plain)
    const token = await client.clientCredentialsGrant(config, { scope })
    expect(token).toMatchObject({ token_type: 'bearer', expires_in: 600, scope })
    const { access_token } = token
    const used = await client.fetchProtectedResource(config, access_token, page(), 'GET')
    expect(used.status).toBe(200)
    const told = await client.tokenIntrospection(config, access_token)
    expect(told).toMatchObject({ active: true, client_id: clientId, scope })
    await client.tokenRevocation(config, access_token)
    expect(await client.tokenIntrospection(config, access_token)).toEqual({ active: false })
    const after = client.fetchProtectedResource(config, access_token, page(), 'GET')
    await expect(after).rejects.toMatchObject({ status: 401 })
  })

  test.each(['ES256', 'PS256'])('proves itself by a key of %s (private_key_jwt)', async (alg) => {
    const pair = await oauth.generateKeyPair(alg, { extractable: true })
    const jwk = await crypto.subtle.exportKey('jwk', pair.publicKey)
    const { key_ops: _, ext: __, ...bare } = jwk
    const { clientId } = await addClient(['admin.read'], { keys: [{ ...bare, kid: 'k1' }] })
    const by = client.PrivateKeyJwt({ key: pair.privateKey, kid: 'k1' })
    const config = await client.discovery(issuer, clientId, undefined, by, plain)
    const { access_token } = await client.clientCredentialsGrant(config, { scope })
    const used = await client.fetchProtectedResource(config, access_token, page(), 'GET')
    expect(used.status).toBe(200)
  })

  test('gets a bound token over our nonce and uses it again and again', async () => {
    const { clientId, secret } = await addClient(['admin.read'])
    const by = client.ClientSecretBasic(secret)
    const config = await client.discovery(issuer, clientId, secret, by, plain)
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
    const token = await client.clientCredentialsGrant(config, { scope }, { DPoP })
    expect(token.token_type).toBe('dpop')
    for (let n = 0; n < 3; n++) {
      const used = await client.fetchProtectedResource(
        ...([config, token.access_token, page(), 'GET', null, undefined, { DPoP }] as const),
      )
      expect(used.status).toBe(200)
    }
    const stolen = client.fetchProtectedResource(config, token.access_token, page(), 'GET')
    await expect(stolen).rejects.toMatchObject({ status: 401 })
  })
})

describe('oauth4webapi, as a resource server of its own, and we', () => {
  type Attempt = { readonly token: string; readonly proof?: string; readonly scheme?: string }
  let server: oauth.AuthorizationServer
  let bearer: string
  let bound: string
  let nonce: string
  let keys: Awaited<ReturnType<typeof dpop.generateKeyPair>>
  beforeAll(async () => {
    const insecure = { [oauth.allowInsecureRequests]: true, algorithm: 'oauth2' } as const
    const answer = await oauth.discoveryRequest(issuer, insecure)
    server = await oauth.processDiscoveryResponse(issuer, answer)
    const { clientId, secret } = await addClient(['admin.read'])
    keys = await dpop.generateKeyPair('ES256')
    const endpoint = server.token_endpoint ?? ''
    const ask = async (proof?: string) => {
      const headers = new Headers({
        authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`,
      })
      if (proof !== undefined) headers.set('dpop', proof)
      const body = new URLSearchParams({ grant_type: 'client_credentials' })
      return fetch(endpoint, { method: 'POST', headers, body })
    }
    const tokenOf = async (answered: Response) => ((await answered.json()) as Json).access_token
    bearer = await tokenOf(await ask())
    const first = await ask(await dpop.generateProof(keys, endpoint, 'POST'))
    nonce = first.headers.get('dpop-nonce') ?? ''
    bound = await tokenOf(await ask(await dpop.generateProof(keys, endpoint, 'POST', nonce)))
  })

  /** What both say of a request: they know the same of it but nonces and replays. */
  async function judge({ token, proof, scheme = 'DPoP' }: Attempt) {
    const headers = new Headers({ authorization: `${scheme} ${token}` })
    if (proof !== undefined) headers.set('dpop', proof)
    const request = new Request(page(), { headers })
    const theirs = await oauth
      .validateJwtAccessToken(server, request, service.services.config.publicUrl, {
        [oauth.allowInsecureRequests]: true,
      })
      .then(
        () => 'accepted',
        () => 'refused',
      )
    const { status } = await fetch(page(), { headers })
    const ours = status === 200 ? 'accepted' : status === 401 ? 'refused' : status
    return { ours, theirs }
  }
  const accepted = { ours: 'accepted', theirs: 'accepted' }
  const refused = { ours: 'refused', theirs: 'refused' }
  const prove = (
    by = keys,
    { url = page().href, method = 'GET', token = bound }: Readonly<Record<string, string>> = {},
  ) => dpop.generateProof(by, url, method, nonce, token)

  test('accept a bearer token, and a bound token beside a proof of dpop', async () => {
    expect(await judge({ token: bearer, scheme: 'Bearer' })).toEqual(accepted)
    expect(await judge({ token: bound, proof: await prove() })).toEqual(accepted)
  })

  test('refuse proofs for another method, URL, token or key, and none', async () => {
    for (const proof of [
      await prove(keys, { method: 'POST' }),
      await prove(keys, { url: new URL('/v1/holds', issuer).href }),
      await prove(keys, { url: 'https://other.example/v1/policy' }),
      await prove(keys, { token: bearer }),
      await prove(await dpop.generateKeyPair('ES256')),
      `${await prove()}x`,
      undefined,
    ]) {
      const attempt = { token: bound, ...(proof !== undefined && { proof }) }
      expect(await judge(attempt)).toEqual(refused)
    }
  })

  test('refuse a bound token as Bearer, and a bearer token as DPoP', async () => {
    expect(await judge({ token: bound, scheme: 'Bearer' })).toEqual(refused)
    const proof = await prove(keys, { token: bearer })
    expect(await judge({ token: bearer, proof })).toEqual(refused)
  })

  test('refuse a token that was changed, that is of another type, or unsigned', async () => {
    const [header, payload, signature] = bearer.split('.')
    const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')
    const event = await service.services
      .makeEventKey()
      .then(() => service.services.signEvent({ ...JSON.parse(atob(payload ?? '')) }))
    for (const token of [
      `${header}.${payload}x.${signature}`,
      `${header}.${payload}.${signature?.slice(0, -4)}AAAA`,
      `${none}.${payload}.`,
      event,
    ]) {
      expect(await judge({ token, scheme: 'Bearer' })).toEqual(refused)
    }
  })
})
