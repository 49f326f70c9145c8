import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose'
import Provider from 'oidc-provider'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPublishedKeySets } from '../../../src/keysets/key-sets.ts'
import { verifyAccessToken } from '../../../src/oauth/access-token.ts'
import { readIssuerRules } from '../../../src/oauth/issuer-rules.ts'
import { createCallerVerifier } from '../../../src/operations/oauth/verify-caller.ts'
import type { Json } from '../../support/json.ts'
import { expectOk, expectRefusal, noteReason } from '../../support/refusal.ts'
import { createTestService, type TestService, testClock } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { type CallerKey, useToken } from './world.ts'

/** oidc-provider is the organisation's own issuer: its tokens and its key set, over HTTP on loopback. */
const ISSUER = 'https://idp.example'
const AUDIENCE = 'https://pdp.example'

let database: TestDatabase
let service: TestService
let idp: Server
let base: string
let signer: CallerKey
let isDown = false
beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true })
  signer = { privateKey, jwk: await exportJWK(publicKey), algorithm: 'RS256' }
  const key = { ...(await exportJWK(privateKey)), kid: 'idp-1', alg: 'RS256', use: 'sig' }
  const provider = new Provider(ISSUER, {
    clients: [
      {
        ...{ client_id: 'gateway', client_secret: 'secret', redirect_uris: [] },
        ...{ response_types: [], grant_types: ['client_credentials'] },
      },
    ],
    jwks: { keys: [key] },
    extraTokenClaims: () => ({ tenant: 'a' }),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          ...{ scope: 'decide read', audience: AUDIENCE },
          ...{ accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } },
        }),
      },
    },
  })
  provider.proxy = true
  idp = createServer(provider.callback())
  await new Promise<void>((resolve) => idp.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(idp.address() as AddressInfo).port}`
  const issuers = expectOk(
    readIssuerRules(
      JSON.stringify([
        {
          ...{ name: 'idp', issuer: ISSUER, jwks_uri: `${ISSUER}/jwks`, audience: AUDIENCE },
          claims: { tenant: 'a' },
          scopes: [{ claim: 'scope', value: 'read', grants: ['admin.read'] }],
        },
      ]),
    ),
  )
  database = await openTestDatabase()
  const clock = testClock(new Date())
  service = await createTestService({
    ...{ database, clock },
    alter: (services) => {
      const { config, callerKeySets: _, dpopNonces: nonces, ...rest } = services
      const fetchJson = async (url: string) =>
        isDown ? undefined : (await fetch(url.replace(ISSUER, base))).json()
      return {
        ...services,
        verifyCaller: createCallerVerifier({
          ...{ ...rest, issuers, nonces, issuer: config.publicUrl, clockSkewSeconds: 60 },
          keySets: createPublishedKeySets({ fetchJson, clock: clock.now }),
        }),
      }
    },
  })
})
afterAll(async () => {
  idp?.close()
  await database?.close()
})

async function getToken(scope: string): Promise<string> {
  const form = { grant_type: 'client_credentials', scope, resource: AUDIENCE }
  const answer = await fetch(`${base}/token`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from('gateway:secret').toString('base64')}`,
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'idp.example',
    },
    body: new URLSearchParams(form),
  })
  const body = (await answer.json()) as Json
  expect(body.access_token, JSON.stringify(body)).toEqual(expect.any(String))
  return body.access_token
}

async function expectRefused(token: string, reason: string): Promise<void> {
  const answer = await useToken(service, token)
  expect(answer.headers.get('www-authenticate')).toContain(`error_description="${reason}"`)
  expect(answer.status).toBe(401)
  noteReason(reason)
}

test('a token that oidc-provider issued is taken, with the scopes that its claims are mapped to', async () => {
  const token = await getToken('read')
  expect((await useToken(service, token)).status).toBe(200)
  const caller = expectOk(
    await service.services.verifyCaller({
      ...{ scheme: 'Bearer', token },
      proof: { header: undefined, method: 'GET', url: service.url },
    }),
  )
  expect(caller).toMatchObject({ clientId: 'idp:gateway', scopes: ['admin.read'] })
  expect((await useToken(service, await getToken('decide'))).status).toBe(403)
})

test('a token of that issuer for something else, or by another key, is refused', async () => {
  const good = decodeJwt(await getToken('read'))
  const sign = (claims: object, header: object = {}, key = signer.privateKey) =>
    new SignJWT({ ...good, ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: 'idp-1', typ: 'at+jwt', ...header })
      .sign(key)
  for (const [claims, header, reason] of [
    [{ aud: 'https://other.example' }, {}, 'access_token_audience_mismatch'],
    [{}, { typ: 'JWT' }, 'access_token_type_refused'],
    [{}, { kid: 'idp-2' }, 'access_token_key_unknown'],
    [{ nonce: 'n' }, {}, 'issuer_token_is_id_token'],
    [{ at_hash: 'n' }, {}, 'issuer_token_is_id_token'],
    [{ client_id: undefined }, {}, 'issuer_token_caller_missing'],
    [{ client_id: 'a b' }, {}, 'issuer_token_caller_missing'],
    [{ iss: ISSUER, azp: 1, tenant: 'b' }, {}, 'issuer_token_claim_mismatch'],
    [{ exp: (good.iat ?? 0) + 7201 }, {}, 'issuer_token_lifetime_too_long'],
    [{ exp: (good.iat ?? 0) - 100 }, {}, 'access_token_expired'],
    [{ cnf: { 'x5t#S256': 'x' } }, {}, 'access_token_claims_malformed'],
    [{ cnf: { jkt: 'A'.repeat(43) } }, {}, 'access_token_bound'],
  ] as const) {
    await expectRefused(await sign(claims, header), reason)
  }
  const thief = await generateKeyPair('RS256')
  await expectRefused(await sign({}, {}, thief.privateKey), 'access_token_signature_invalid')
})

test('while its key set cannot be had an unknown key is 503, and a known one goes on', async () => {
  const known = await getToken('read')
  expect((await useToken(service, known)).status).toBe(200)
  isDown = true
  service.clock.advance(700)
  const unknown = await new SignJWT(decodeJwt(known))
    .setProtectedHeader({ alg: 'RS256', kid: 'new', typ: 'at+jwt' })
    .sign(signer.privateKey)
  const answer = await useToken(service, unknown)
  expect(answer.status).toBe(503)
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  noteReason('jwks_unavailable')
  isDown = false
})

test('an access token of another issuer by our key is none of ours', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const claims = { sub: 'c', client_id: 'c', scope: 'x', jti: 'j', iat: 1, generation: 1, exp: 4e9 }
  const token = await new SignJWT({ iss: 'https://a.example', aud: 'https://b.example', ...claims })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt' })
    .sign(privateKey)
  const expected = { issuer: 'https://b.example', key: publicKey, now: new Date() }
  expectRefusal(await verifyAccessToken(token, expected), 'access_token_issuer_mismatch')
})
