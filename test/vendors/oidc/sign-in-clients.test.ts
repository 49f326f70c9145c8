import { describe, expect, test } from 'vitest'
import { readSignInClients } from '../../../src/vendors/oidc/sign-in-clients.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

const ENTRA = {
  provider: 'entra',
  client_id: 'countersign-eam',
  tenant_id: '9122040d-6c67-4c5b-b112-36a304b66dad',
}
const OKTA = {
  provider: 'okta',
  client_id: 'countersign-posture',
  redirect_uris: ['https://acme.okta.com/oauth2/v1/authorize/callback'],
}

describe('a list of identity providers', () => {
  // The places are those that Microsoft lists in "external authentication method provider reference".
  test.each([
    [{}, 'https://login.microsoftonline.com'],
    [{ cloud: 'usgov' }, 'https://login.microsoftonline.us'],
    [{ cloud: 'china' }, 'https://login.partner.microsoftonline.cn'],
  ])('knows of a tenant with %o where it answers and by what its hints are known', (cloud, at) => {
    const [client] = expectOk(readSignInClients(JSON.stringify([{ ...ENTRA, ...cloud }])))
    expect(client).toEqual({
      provider: 'entra',
      clientId: 'countersign-eam',
      redirectUris: [`${at}/common/federation/externalauthprovider`],
      tenantId: ENTRA.tenant_id,
      hintIssuer: `${at}/${ENTRA.tenant_id}/v2.0`,
      hintKeys: `${at}/${ENTRA.tenant_id}/discovery/v2.0/keys`,
    })
  })

  test('knows of Okta the places that are listed, as they stand', () => {
    const [client] = expectOk(readSignInClients(JSON.stringify([OKTA])))
    expect(client).toEqual({
      provider: 'okta',
      clientId: 'countersign-posture',
      redirectUris: OKTA.redirect_uris,
    })
  })

  test.each([
    ['no JSON', '{'],
    ['no list', '{}'],
    ['nobody', '[]'],
    ['an unknown provider', JSON.stringify([{ ...OKTA, provider: 'other' }])],
    ['a member that nobody reads', JSON.stringify([{ ...OKTA, secret: 'x' }])],
    ['a tenant that is a name', JSON.stringify([{ ...ENTRA, tenant_id: 'acme.example' }])],
    ['a place of its own for Entra', JSON.stringify([{ ...ENTRA, redirect_uris: ['https://a'] }])],
    ['no place', JSON.stringify([{ ...OKTA, redirect_uris: [] }])],
    ['a place without TLS', JSON.stringify([{ ...OKTA, redirect_uris: ['http://a.example'] }])],
    ['a script as a place', JSON.stringify([{ ...OKTA, redirect_uris: ['javascript:x'] }])],
    ['a place with a fragment', JSON.stringify([{ ...OKTA, redirect_uris: ['https://a/#x'] }])],
  ])('is refused with %s', (_name, json) => {
    expectRefusal(readSignInClients(json), 'sign_in_clients_malformed')
  })

  test('is refused with two of one client_id, whose requests nobody could tell apart', () => {
    const both = [ENTRA, { ...OKTA, client_id: ENTRA.client_id }]
    expectRefusal(readSignInClients(JSON.stringify(both)), 'sign_in_clients_repeated')
  })
})
