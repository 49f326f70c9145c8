import { describe, expect, test } from 'vitest'
import type { Form } from '../../../src/oauth/token-form.ts'
import {
  readSignInPlace,
  readSignInRequest,
} from '../../../src/vendors/oidc/authentication-request.ts'
import { readSignInClients } from '../../../src/vendors/oidc/sign-in-clients.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

const REDIRECT = 'https://login.microsoftonline.com/common/federation/externalauthprovider'
const clients = expectOk(
  readSignInClients(
    JSON.stringify([
      {
        provider: 'entra',
        client_id: 'eam',
        tenant_id: '9122040d-6c67-4c5b-b112-36a304b66dad',
      },
      { provider: 'okta', client_id: 'okta', redirect_uris: ['https://acme.okta.com/callback'] },
    ]),
  ),
)
const OKTA = {
  client_id: 'okta',
  redirect_uri: 'https://acme.okta.com/callback',
  response_type: 'code',
  response_mode: undefined,
  nonce: undefined,
  claims: undefined,
}
const CHALLENGE = { code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' }

/** What Microsoft's reference has of a request, with parameters changed or left out. */
function form(changed: Readonly<Record<string, string | undefined>> = {}): Form {
  const asked = {
    scope: 'openid',
    response_type: 'id_token',
    response_mode: 'form_post',
    client_id: 'eam',
    redirect_uri: REDIRECT,
    nonce: 'n',
    state: 's',
    claims: '{"id_token":{"acr":{"essential":true,"values":["possessionorinherence"]}}}',
    ...changed,
  }
  const given = Object.entries(asked).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, value]],
  )
  return new Map(given)
}

function read(changed: Readonly<Record<string, string | undefined>>) {
  const asked = form(changed)
  return readSignInRequest(asked, expectOk(readSignInPlace(asked, clients)))
}

describe('where a request is answered', () => {
  test('is a registered place of a registered provider', () => {
    expect(expectOk(readSignInPlace(form(), clients))).toEqual({
      client: clients[0],
      redirectUri: REDIRECT,
      responseMode: 'form_post',
      state: 's',
    })
  })

  test.each([undefined, 'other', 'EAM'])('is nowhere for the provider %s', (client_id) => {
    expectRefusal(readSignInPlace(form({ client_id }), clients), 'sign_in_client_unknown')
  })

  // RFC 9700 §4.1.3: compared byte for byte, as whatever else is compared can be gone around.
  test.each([
    undefined,
    'https://evil.example/',
    `${REDIRECT}/`,
    `${REDIRECT}?a=b`,
    REDIRECT.toUpperCase(),
    REDIRECT.replace('https', 'http'),
    'https://login.microsoftonline.com@evil.example/common/federation/externalauthprovider',
    'https://login.microsoftonline.com/common/federation/../federation/externalauthprovider',
  ])('is not at %s', (redirect_uri) => {
    expectRefusal(readSignInPlace(form({ redirect_uri }), clients), 'sign_in_redirect_uri_refused')
  })
})

describe('a request', () => {
  test('is read as Microsoft writes it', () => {
    expect(expectOk(read({}))).toEqual({
      redirectUri: REDIRECT,
      responseMode: 'form_post',
      responseType: 'id_token',
      state: 's',
      nonce: 'n',
      codeChallenge: null,
      acr: 'possessionorinherence',
    })
  })

  test('may have no state and ask for nothing, and other parameters are ignored', () => {
    const asked = { state: undefined, claims: undefined, 'client-request-id': 'x', mkt: 'de' }
    expect(expectOk(read(asked))).toMatchObject({ state: null, acr: null })
  })

  test('may name the response type with a capital, as the table of the reference does', () => {
    expectOk(read({ response_type: 'Id_token' }))
  })

  // RFC 6749 §4.1.2: in the query, unless the client asks otherwise.
  test.each([
    [undefined, 'query'],
    ['query', 'query'],
    ['form_post', 'form_post'],
  ])(
    'of Okta for a code with response mode %s is answered by %s',
    (response_mode, responseMode) => {
      const asked = expectOk(read({ ...OKTA, ...CHALLENGE, response_mode }))
      expect(asked).toMatchObject({ responseType: 'code', responseMode, nonce: null })
      expect(asked.codeChallenge).toBe(CHALLENGE.code_challenge)
    },
  )

  test.each([
    { code_challenge: 'x'.repeat(43) },
    { ...CHALLENGE, code_challenge_method: 'plain' },
    { ...CHALLENGE, code_challenge: 'x'.repeat(42) },
  ])('is refused with the challenge %o, by which a code that was seen is redeemed', (changed) => {
    expectRefusal(read({ ...OKTA, ...changed }), 'sign_in_code_challenge_refused')
  })

  test.each([
    ['sign_in_response_mode_refused', { ...OKTA, response_mode: 'fragment' }],
    ['sign_in_response_mode_refused', { ...OKTA, response_type: 'id_token', nonce: 'n' }],
    ['sign_in_response_type_refused', { response_type: 'code' }],
    ['sign_in_response_type_refused', { response_type: 'id_token token' }],
    ['sign_in_response_type_refused', { response_type: undefined }],
    ['sign_in_response_mode_refused', { response_mode: 'fragment' }],
    ['sign_in_response_mode_refused', { response_mode: undefined }],
    ['sign_in_scope_refused', { scope: 'profile' }],
    ['sign_in_scope_refused', { scope: undefined }],
    ['sign_in_nonce_missing', { nonce: undefined }],
    ['sign_in_prompt_none', { prompt: 'none' }],
    ['sign_in_request_object_refused', { request: 'eyJ' }],
    ['sign_in_request_uri_refused', { request_uri: 'https://evil.example/r' }],
    ['sign_in_parameter_too_long', { state: 'x'.repeat(4097) }],
    ['sign_in_parameter_too_long', { nonce: 'x'.repeat(513) }],
    ['sign_in_parameter_too_long', { claims: `{"a":"${'x'.repeat(4096)}"}` }],
    ['sign_in_claims_malformed', { claims: '[]' }],
    ['sign_in_claims_malformed', { claims: '{"id_token":1}' }],
    ['sign_in_claims_malformed', { claims: '{"id_token":{"acr":1}}' }],
    ['sign_in_claims_malformed', { claims: '{"id_token":{"acr":{"values":[1]}}}' }],
    ['sign_in_claims_malformed', { claims: '{"id_token":{"acr":{"values":"x"}}}' }],
    ['sign_in_claims_malformed', { claims: '{"id_token":{"amr":{"value":1}}}' }],
    ['sign_in_acr_refused', { claims: '{"id_token":{"acr":{"values":["inherence"]}}}' }],
    ['sign_in_acr_refused', { claims: undefined, acr_values: 'knowledge' }],
    ['sign_in_amr_refused', { claims: '{"id_token":{"amr":{"values":["face","otp"]}}}' }],
  ] as const)('is refused for %s with %o', (reason, changed) => {
    expectRefusal(read(changed), reason)
  })

  // Microsoft's "supported acr claims": what possession satisfies.
  test.each([
    ['possessionorinherence', '["knowledge","possessionorinherence"]'],
    ['possession', '["possession"]'],
    ['knowledgeorpossession', '["knowledgeorpossession","inherence"]'],
    ['knowledgeorpossessionorinherence', '["knowledgeorpossessionorinherence"]'],
  ])('is answered with the context %s where %s are asked for', (acr, values) => {
    const claims = `{"id_token":{"acr":{"essential":true,"values":${values}}}}`
    expect(expectOk(read({ claims }))).toMatchObject({ acr })
  })
})
