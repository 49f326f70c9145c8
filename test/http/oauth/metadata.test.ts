import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SCOPES } from '../../../src/oauth/scopes.ts'
import type { Json } from '../../support/json.ts'
import { createTestService, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

let database: TestDatabase
let service: TestService
beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database, env: { PUBLIC_URL: 'https://pdp.example/t1' } })
})
afterAll(() => database?.close())

/** oauth4webapi looks where the RFC says, and checks what it finds: it is the witness. */
const toService = (url: string) => service.request(url.replace('https://pdp.example', ''))
const options = { [oauth.customFetch]: toService }

test('of the authorization server is found and accepted by oauth4webapi: RFC 8414 §3', async () => {
  const issuer = new URL('https://pdp.example/t1')
  const answer = await oauth.discoveryRequest(issuer, { ...options, algorithm: 'oauth2' })
  const found = await oauth.processDiscoveryResponse(issuer, answer)
  expect(found).toEqual({
    issuer: 'https://pdp.example/t1',
    token_endpoint: 'https://pdp.example/t1/oauth/token',
    jwks_uri: 'https://pdp.example/t1/.well-known/jwks.json',
    scopes_supported: [...SCOPES],
    response_types_supported: [],
    grant_types_supported: ['client_credentials'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['ES256', 'PS256', 'RS256'],
    revocation_endpoint: 'https://pdp.example/t1/oauth/revoke',
    revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'private_key_jwt'],
    revocation_endpoint_auth_signing_alg_values_supported: ['ES256', 'PS256', 'RS256'],
    introspection_endpoint: 'https://pdp.example/t1/oauth/introspect',
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'private_key_jwt'],
    introspection_endpoint_auth_signing_alg_values_supported: ['ES256', 'PS256', 'RS256'],
    dpop_signing_alg_values_supported: ['ES256', 'PS256', 'RS256'],
    protected_resources: ['https://pdp.example/t1'],
  })
  expect(answer.headers.get('cache-control')).toMatch(/^public, max-age=/)
})

test('of the protected resource is found and accepted by oauth4webapi: RFC 9728 §3', async () => {
  const resource = new URL('https://pdp.example/t1')
  const answer = await oauth.resourceDiscoveryRequest(resource, options)
  const found = await oauth.processResourceDiscoveryResponse(resource, answer)
  expect(found).toEqual({
    resource: 'https://pdp.example/t1',
    authorization_servers: ['https://pdp.example/t1'],
    scopes_supported: [...SCOPES],
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: ['ES256', 'PS256', 'RS256'],
    resource_name: 'Countersign',
  })
})

test('names nothing that is not served', async () => {
  const metadata = (await (
    await service.request('/.well-known/oauth-authorization-server')
  ).json()) as Json
  const urls = Object.entries(metadata).filter(([name]) => /_endpoint$|_uri$/.test(name))
  expect(urls.length).toBe(4)
  for (const [, url] of urls) {
    const path = String(url).replace(service.url, '')
    // Of the wrong method, or of nobody: there, in any case.
    expect([200, 405]).toContain((await service.request(path)).status)
  }
})
