import { expect, test } from 'vitest'
import {
  readSignInPlace,
  readSignInRequest,
  type SignInRequest,
} from '../../../src/vendors/oidc/authentication-request.ts'
import { describeOpenIdProvider } from '../../../src/vendors/oidc/discovery.ts'
import { bringAnswer, claimsOfIdToken } from '../../../src/vendors/oidc/id-token.ts'
import { readSignInClients, type SignInClient } from '../../../src/vendors/oidc/sign-in-clients.ts'
import type { Json } from '../../support/json.ts'
import { expectOk } from '../../support/refusal.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'

/** The shapes as they were recorded from Microsoft's and Okta's documentation. */

const NOW = new Date('2026-03-02T08:00:00Z')
const DEVICE = { deviceId: 'dev_1', isManaged: true, isGranted: true }

function clientOf(given: object): SignInClient {
  const [client] = expectOk(readSignInClients(JSON.stringify([given])))
  if (client === undefined) throw new TypeError('no client')
  return client
}

const membersOf = (value: object) => Object.keys(value).sort()

describeVectors('an external authentication method of Entra', () => {
  const recorded: Json = vectorJson('idp/entra/external-authentication-method.json')
  const client = clientOf({
    provider: 'entra',
    client_id: 'eam',
    tenant_id: '9122040d-6c67-4c5b-b112-36a304b66dad',
  })
  const { params } = recorded.entra_request
  const form = new Map<string, string>(Object.entries({ ...params, client_id: 'eam' }))

  test('is discovered by every member that was recorded', () => {
    const document: Json = describeOpenIdProvider('https://pdp.example')
    for (const [name, value] of Object.entries(recorded.discovery)) {
      if (Array.isArray(value)) expect(document[name], name).toEqual(expect.arrayContaining(value))
      else expect(document[name], name).toMatch(/^https:\/\/pdp\.example\/sign-in/)
    }
  })

  test('asks by the recorded request, and gets the members of the recorded answer', () => {
    const place = expectOk(readSignInPlace(form, [client]))
    const request = expectOk(readSignInRequest(form, place))
    const person = { subject: 'sub', id: 'oid', tenantId: 'tid', username: null }
    const options = { issuer: 'https://pdp.example/sign-in', now: NOW }
    const claims: Json = claimsOfIdToken(
      { client, request: { ...request, person } },
      DEVICE,
      options,
    )
    const answer = recorded.response_form_post.id_token
    expect(membersOf(claims)).toEqual(membersOf(answer))
    expect(claims.acr).toBe(answer.acr)
    expect(claims.amr).toHaveLength(1)
    expect(JSON.parse(params.claims).id_token.amr.values).toContain(claims.amr[0])
  })

  test('is refused with the members of the recorded error', () => {
    const place = expectOk(readSignInPlace(form, [client]))
    const { error } = recorded.response_error
    const answer = bringAnswer(place, { error, error_description: 'why' })
    expect(answer).toMatchObject({ kind: 'form', action: params.redirect_uri })
    const fields = answer.kind === 'form' ? answer.fields : {}
    expect(membersOf(fields)).toEqual(membersOf(recorded.response_error))
  })
})

describeVectors('device posture of Okta', () => {
  test('reads the recorded claim', () => {
    const recorded: Json = vectorJson('idp/okta/device-posture-idp.json').oidc.id_token_claim
    const redirect = 'https://acme.okta.com/oauth2/v1/authorize/callback'
    const client = clientOf({ provider: 'okta', client_id: 'o', redirect_uris: [redirect] })
    const request: SignInRequest = {
      redirectUri: redirect,
      responseMode: 'form_post',
      responseType: 'id_token',
      state: null,
      nonce: 'n',
      codeChallenge: null,
      acr: null,
      person: null,
    }
    const options = { issuer: 'https://pdp.example/sign-in', now: NOW }
    const claims: Json = claimsOfIdToken({ client, request }, DEVICE, options)
    expect(membersOf(claims.device_context)).toEqual(membersOf(recorded.device_context))
    for (const [name, value] of Object.entries(recorded.device_context)) {
      expect(typeof claims.device_context[name], name).toBe(typeof value)
    }
  })
})
