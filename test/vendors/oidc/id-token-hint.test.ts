import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { readJwks } from '../../../src/oauth/key-set.ts'
import { keyNameOfHint, verifyIdTokenHint } from '../../../src/vendors/oidc/id-token-hint.ts'
import type { EntraClient } from '../../../src/vendors/oidc/sign-in-clients.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

/**
 * The claims are those of the example in Microsoft's reference of external authentication method providers, its oddities
 * included: it ends a second before it was made, and its `tid` is not the tenant of its `iss`. jose signs them.
 */
const EXAMPLE = {
  ver: '2.0',
  iss: 'https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0',
  sub: 'mBfcvuhSHkDWVgV72x2ruIYdSsPSvcj2R0qfc6mGEAA',
  aud: '600b719b-3766-4dc5-95a6-3c4a8dc31885',
  exp: 1_536_093_790,
  iat: 1_536_093_791,
  nbf: 1_536_093_791,
  name: 'Test User 2',
  preferred_username: 'testuser2@contoso.com',
  oid: '951ddb04-b16d-45f3-bbf7-b0fa18fa7aee',
  tid: '14c2f153-90a7-4689-9db7-9543bf084dad',
}
const KID = '7_Zuf1tvkwLxYaHS3q6lUjUYIGw'
const CLIENT: EntraClient = {
  provider: 'entra',
  clientId: EXAMPLE.aud,
  redirectUris: [],
  tenantId: '9122040d-6c67-4c5b-b112-36a304b66dad',
  hintIssuer: EXAMPLE.iss,
  hintKeys:
    'https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/discovery/v2.0/keys',
}
const NOW = new Date((EXAMPLE.iat + 5) * 1000)

const ours = await generateKeyPair('RS256', { extractable: true })
const others = await generateKeyPair('RS256', { extractable: true })
const { keys } = expectOk(
  readJwks({ keys: [{ ...(await exportJWK(ours.publicKey)), kid: KID, use: 'sig' }] }),
)

const sign = (
  claims: JWTPayload = {},
  header: Readonly<Record<string, unknown>> = {},
  key = ours.privateKey,
) =>
  new SignJWT({ ...EXAMPLE, ...claims })
    .setProtectedHeader({ typ: 'JWT', alg: 'RS256', kid: KID, ...header })
    .sign(key)

const verify = (hint: string, clockSkewSeconds = 0) =>
  verifyIdTokenHint(hint, { client: CLIENT, keys, now: NOW, clockSkewSeconds })

describe('a hint of Entra', () => {
  test('says who signs in, although it has ended', async () => {
    expect(expectOk(await verify(await sign()))).toEqual({
      subject: EXAMPLE.sub,
      id: EXAMPLE.oid,
      tenantId: EXAMPLE.tid,
      username: EXAMPLE.preferred_username,
    })
  })

  test('names its key, and nothing else is read before that is fetched', async () => {
    expect(expectOk(keyNameOfHint(await sign()))).toBe(KID)
    expectRefusal(keyNameOfHint(undefined), 'id_token_hint_missing')
    expectRefusal(keyNameOfHint('a.b.c'), 'id_token_hint_malformed')
    expectRefusal(keyNameOfHint(await sign({ more: 'x'.repeat(9000) })), 'id_token_hint_malformed')
  })

  test.each([
    ['id_token_hint_issuer_refused', { iss: EXAMPLE.iss.replace('9122', '9123') }],
    ['id_token_hint_issuer_refused', { iss: 'https://sts.windows.net/x/' }],
    ['id_token_hint_audience_refused', { aud: 'another' }],
    ['id_token_hint_issued_in_future', { iat: EXAMPLE.iat + 60 }],
    ['id_token_hint_claims_malformed', { oid: undefined }],
    ['id_token_hint_claims_malformed', { tid: 7 }],
    ['id_token_hint_claims_malformed', { sub: '' }],
    ['id_token_hint_claims_malformed', { iat: 'now' }],
    ['id_token_hint_claims_malformed', { exp: EXAMPLE.iat - 3600 }],
  ] as const)('is refused for %s with %o', async (reason, claims) => {
    expectRefusal(await verify(await sign(claims as JWTPayload)), reason)
  })

  test('is refused under a key that is not of the tenant, under its name or another', async () => {
    const forged = await sign({}, {}, others.privateKey)
    expectRefusal(await verify(forged), 'id_token_hint_signature_invalid')
    expectRefusal(await verify(await sign({}, { kid: 'mine' })), 'id_token_hint_key_unknown')
    const brought = { jwk: await exportJWK(others.publicKey), kid: 'mine' }
    expectRefusal(
      await verify(await sign({}, brought, others.privateKey)),
      'id_token_hint_key_unknown',
    )
  })

  test('is refused with another algorithm, with none, and as another kind of token', async () => {
    const [, payload = ''] = (await sign()).split('.')
    const none = Buffer.from(JSON.stringify({ alg: 'none', kid: KID })).toString('base64url')
    expectRefusal(await verify(`${none}.${payload}.`), 'id_token_hint_algorithm_refused')
    const secret = new TextEncoder().encode('x'.repeat(32))
    const shared = new SignJWT(EXAMPLE).setProtectedHeader({ alg: 'HS256', kid: KID })
    expectRefusal(await verify(await shared.sign(secret)), 'id_token_hint_algorithm_refused')
    expectRefusal(await verify(await sign({}, { typ: 'at+jwt' })), 'id_token_hint_malformed')
    expectRefusal(await verify('not a token'), 'id_token_hint_malformed')
  })
})
