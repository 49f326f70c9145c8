import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Json } from '../../support/json.ts'
import { noteReason } from '../../support/refusal.ts'
import { createTestService, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import {
  addClient,
  askForToken,
  type CallerKey,
  getBoundToken,
  makeKey,
  makeProof,
  useToken,
} from './world.ts'

let database: TestDatabase
let service: TestService
let other: TestService
let key: CallerKey
let clientId: string
beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database })
  // Another process on the same database, with the same secret.
  other = await createTestService({ database, clock: service.clock })
  key = await makeKey()
  clientId = await addClient(service)
})
afterAll(() => database?.close())

const askWith = async (proof: string) =>
  askForToken(service, clientId, {}, { headers: { dpop: proof } })
const nonceOf = (answer: Response) => answer.headers.get('dpop-nonce') ?? ''

/** RFC 9449 §5 and §8: 400, and our reason at the beginning of the description. */
async function expectError(answer: Response, reason: string, error = 'invalid_dpop_proof') {
  const body = (await answer.json()) as Json
  expect(body.error_description).toMatch(new RegExp(`^${reason}\\b`))
  expect({ status: answer.status, error: body.error }).toEqual({ status: 400, error })
  noteReason(reason)
}

/** RFC 9449 §7.1 and §9: 401, with the algorithms that proofs may have. */
function expectRefused(answer: Response, reason: string, error = 'invalid_dpop_proof') {
  expect(answer.headers.get('www-authenticate')).toBe(
    `DPoP error="${error}", error_description="${reason}", algs="ES256 PS256 RS256", resource_metadata="${service.url}/.well-known/oauth-protected-resource"`,
  )
  expect(answer.status).toBe(401)
  noteReason(reason)
}

const bound = () => getBoundToken(service, clientId, key)
const use = (token: string, dpop: string, by = service) =>
  useToken(by, token, { scheme: 'DPoP', dpop })
const proofFor = (
  { token, nonce }: { readonly token: string; readonly nonce: string },
  changed: Parameters<typeof makeProof>[2] & { readonly by?: CallerKey } = {},
) => {
  const { by = key, claims, ...rest } = changed
  return makeProof(service, by, {
    ...{ method: 'GET', path: '/v1/policy', token, ...rest },
    claims: { nonce, ...claims },
  })
}

describe('a bound token', () => {
  test.each(['ES256', 'PS256', 'RS256'])(
    'is given for a proof of %s over our nonce, and used with proofs of that key',
    async (algorithm) => {
      const own = await makeKey(algorithm)
      const first = await askWith(await makeProof(service, own))
      const nonce = nonceOf(first)
      await expectError(first, 'dpop_nonce_missing', 'use_dpop_nonce')
      const asked = await askWith(await makeProof(service, own, { claims: { nonce } }))
      const body = (await asked.json()) as Json
      expect(body).toMatchObject({ token_type: 'DPoP', expires_in: 600 })
      const proof = await proofFor({ token: body.access_token, nonce }, { by: own })
      expect((await use(body.access_token, proof)).status).toBe(200)
    },
  )

  test('needs a nonce of ours again when the one it has is old', async () => {
    const { token, nonce } = await bound()
    service.clock.advance(151)
    const late = await use(token, await proofFor({ token, nonce }))
    expect(late.status).toBe(200)
    const next = nonceOf(late)
    expect(next).not.toBe('')
    service.clock.advance(150)
    const stale = await use(token, await proofFor({ token, nonce }))
    expectRefused(stale, 'dpop_nonce_refused', 'use_dpop_nonce')
    expect(nonceOf(stale)).not.toBe('')
    expect((await use(token, await proofFor({ token, nonce: next }))).status).toBe(200)
  })

  test('is taken by another process with a nonce of this one', async () => {
    const got = await bound()
    expect((await use(got.token, await proofFor(got), other)).status).toBe(200)
  })
})

describe('an attack by', () => {
  test('a bound token as Bearer, with and without its proof', async () => {
    const got = await bound()
    for (const dpop of [undefined, await proofFor(got)]) {
      const answer = await useToken(service, got.token, dpop === undefined ? {} : { dpop })
      expectRefused(answer, 'access_token_bound', 'invalid_token')
    }
  })

  test('a bearer token as DPoP', async () => {
    const { access_token: token } = (await (await askForToken(service, clientId)).json()) as Json
    const answer = await use(token, await proofFor({ token, nonce: '' }))
    expectRefused(answer, 'access_token_unbound', 'invalid_token')
  })

  test('a proof that came before, here or in another process', async () => {
    const got = await bound()
    const proof = await proofFor(got)
    expect((await use(got.token, proof)).status).toBe(200)
    expectRefused(await use(got.token, proof), 'dpop_replayed')
    expectRefused(await use(got.token, proof, other), 'dpop_replayed')
  })

  test('thirty-two copies of a proof at once, in two processes: one is taken', async () => {
    const got = await bound()
    const proof = await proofFor(got)
    const answers = await Promise.all(
      Array.from({ length: 32 }, (_, n) => use(got.token, proof, n % 2 ? service : other)),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  test('a proof of the token endpoint that came before', async () => {
    const { nonce } = await bound()
    const proof = await makeProof(service, key, { claims: { nonce } })
    expect((await askWith(proof)).status).toBe(200)
    await expectError(await askWith(proof), 'dpop_replayed')
  })

  test('a proof for another method, URL, token or key', async () => {
    const got = await bound()
    const another = await bound()
    const thief = await makeKey()
    for (const [changed, reason] of [
      [{ method: 'POST' }, 'proof_method_mismatch'],
      [{ path: '/v1/holds' }, 'proof_url_mismatch'],
      [{ claims: { htu: 'https://other.example/v1/policy' } }, 'proof_url_mismatch'],
      [{ token: another.token }, 'dpop_token_mismatch'],
      [{ claims: { ath: undefined } }, 'dpop_token_mismatch'],
    ] as const) {
      const proof = await proofFor(got, changed as Parameters<typeof proofFor>[1])
      expectRefused(await use(got.token, proof), reason)
    }
    const stolen = await use(got.token, await proofFor(got, { by: thief }))
    expectRefused(stolen, 'proof_key_mismatch', 'invalid_token')
  })

  test('a nonce that was made for another key, or by somebody else', async () => {
    const got = await bound()
    const thief = await makeKey()
    const theirs = await getBoundToken(service, clientId, thief)
    for (const nonce of [theirs.nonce, 'x', '', 'A'.repeat(50)]) {
      const answer = await use(got.token, await proofFor({ token: got.token, nonce }))
      expectRefused(answer, 'dpop_nonce_refused', 'use_dpop_nonce')
    }
  })

  test('two proofs, or none', async () => {
    const got = await bound()
    const headers = new Headers({ authorization: `DPoP ${got.token}` })
    expectRefused(await service.request('/v1/policy', { headers }), 'dpop_missing')
    headers.append('dpop', await proofFor(got))
    headers.append('dpop', await proofFor(got))
    expectRefused(await service.request('/v1/policy', { headers }), 'dpop_repeated')
    const twice = await makeProof(service, key)
    await expectError(await askWith(`${twice}, ${twice}`), 'dpop_repeated')
  })

  test('a proof of another kind: RFC 9449 §4.3, steps 4 to 7', async () => {
    const got = await bound()
    const secret = await makeKey()
    const { d } = (await crypto.subtle.exportKey('jwk', secret.privateKey)) as { d?: string }
    for (const [header, reason] of [
      [{ typ: 'JWT' }, 'proof_type_refused'],
      [{ jwk: { ...secret.jwk, d } }, 'proof_key_private'],
      [{ jwk: undefined }, 'proof_key_malformed'],
    ] as const) {
      const proof = await proofFor(got, { header })
      expectRefused(await use(got.token, proof), reason)
    }
    const now = Math.floor(service.clock.now().getTime() / 1000)
    for (const [iat, reason] of [
      [now + 61, 'proof_issued_in_future'],
      [now - 361, 'proof_too_old'],
    ] as const) {
      expectRefused(await use(got.token, await proofFor(got, { claims: { iat } })), reason)
    }
  })

  test('a token whose proof writes nothing when it is revoked or superseded', async () => {
    const got = await bound()
    const now = service.clock.now()
    await service.services.store.revokeAccessToken({
      ...{ clientId, tokenId: JSON.parse(atob(got.token.split('.')[1] ?? '')).jti, generation: 1 },
      ...{ expiresAt: new Date(now.getTime() + 600_000), by: 'test', now },
    })
    service.clock.advance(5)
    const before = service.calls.filter((name) => name === 'spendProof').length
    const answer = await use(got.token, await proofFor(got))
    expectRefused(answer, 'access_token_revoked', 'invalid_token')
    expect(service.calls.filter((name) => name === 'spendProof')).toHaveLength(before)
  })
})
