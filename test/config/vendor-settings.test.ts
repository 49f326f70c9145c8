import { expect, test } from 'vitest'
import { type Environment, parseConfig } from '../../src/config/config.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const TENANT = '30000000-0000-0000-0000-000000000003'
const APP = '50000000-0000-0000-0000-00000000000A'
const read = (env: Environment) => expectOk(parseConfig(env)).vendors
const mistakes = (env: Environment) => expectRefusal(parseConfig(env), 'config_invalid').mistakes

test('no identity provider may ask unless it is configured', () => {
  expect(read({})).toEqual({
    ...{ entra: undefined, okta: undefined, cloudflare: undefined, google: undefined },
  })
})

test('each is known by public names', () => {
  expect(
    read({
      ...{
        ENTRA_TENANT_ID: TENANT,
        ENTRA_APP_ID: APP,
        OKTA_ORGANISATION: 'https://acme.okta.com/',
      },
      ...{ CLOUDFLARE_TEAM: 'acme', CLOUDFLARE_POSTURE_AUDIENCE: 'ab'.repeat(32) },
    }),
  ).toEqual({
    entra: {
      ...{ tenantId: TENANT, appId: APP.toLowerCase() },
      authority: 'https://login.microsoftonline.com',
    },
    okta: { organisation: 'https://acme.okta.com', denial: 'claim' },
    cloudflare: { team: 'acme', postureAudience: 'ab'.repeat(32) },
    google: undefined,
  })
})

test.each<[Environment, string]>([
  [{ ENTRA_TENANT_ID: TENANT }, 'ENTRA_TENANT_ID: has no effect without ENTRA_APP_ID'],
  [{ ENTRA_APP_ID: APP }, 'ENTRA_APP_ID: has no effect without ENTRA_TENANT_ID'],
  [
    { ENTRA_AUTHORITY: 'https://acme.ciamlogin.com' },
    'ENTRA_AUTHORITY: has no effect without ENTRA_TENANT_ID',
  ],
  [{ OKTA_DENIAL: 'refuse' }, 'OKTA_DENIAL: has no effect without OKTA_ORGANISATION'],
  [
    { CLOUDFLARE_POSTURE_AUDIENCE: 'ab'.repeat(32) },
    'CLOUDFLARE_POSTURE_AUDIENCE: has no effect without CLOUDFLARE_TEAM',
  ],
  [
    { GOOGLE_ADMINISTRATOR: 'admin@example.com' },
    'GOOGLE_ADMINISTRATOR: has no effect without GOOGLE_SERVICE_ACCOUNT',
  ],
  [
    { GOOGLE_SERVICE_ACCOUNT: '{"type":"authorized_user","private_key":"secret text"}' },
    'GOOGLE_SERVICE_ACCOUNT: must be the JSON of a key of a service account',
  ],
  [{ ENTRA_TENANT_ID: 'common', ENTRA_APP_ID: APP }, 'ENTRA_TENANT_ID: must be a GUID'],
  [
    { ENTRA_TENANT_ID: TENANT, ENTRA_APP_ID: APP, ENTRA_AUTHORITY: 'https://a.example/x' },
    'ENTRA_AUTHORITY: must have no path',
  ],
  [
    { OKTA_ORGANISATION: 'https://acme.okta.com/oauth2' },
    'OKTA_ORGANISATION: must be like https://example.okta.com',
  ],
  [
    { CLOUDFLARE_TEAM: 'acme.evil.example/' },
    'CLOUDFLARE_TEAM: must be the name before .cloudflareaccess.com',
  ],
  [
    { CLOUDFLARE_TEAM: 'acme', CLOUDFLARE_POSTURE_AUDIENCE: 'short' },
    'CLOUDFLARE_POSTURE_AUDIENCE: must be an audience tag: 64 hexadecimal digits',
  ],
])('%j is a mistake', (env, mistake) => {
  expect(mistakes(env)).toEqual([mistake])
})
