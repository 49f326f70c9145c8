import { generateKeyPairSync } from 'node:crypto'
import { decodeProtectedHeader, exportJWK, type JWTPayload } from 'jose'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { deviceIdOf } from '../../../src/access/device-id.ts'
import { CLAIMS_REASONS } from '../../../src/appraisal/read-claims.ts'
import { digest } from '../../../src/base/digest.ts'
import { toBase64, toBase64Url, toUtf8 } from '../../../src/base/encoding.ts'
import { ok } from '../../../src/base/result.ts'
import { PROOF_REASONS } from '../../../src/evidence/jws/confirmation.ts'
import type { IssuerKey } from '../../../src/evidence/jws/key-set.ts'
import { NONCE_REASONS, sealNonce } from '../../../src/evidence/nonce.ts'
import {
  ATTESTATION_TOKEN_REASONS,
  type TokenIssuer,
} from '../../../src/evidence/token/attestation-token.ts'
import { RECORDING_REASONS } from '../../../src/operations/attest/record-attestation.ts'
import { SUBMISSION_REASONS } from '../../../src/operations/attest/submission-failure.ts'
import { publicJwk } from '../../../src/simulator/attestation-request.ts'
import { forgeWithoutSignature } from '../../../src/simulator/tampering.ts'
import { expectOk, noteReason } from '../../support/refusal.ts'
import {
  createTestService,
  everythingStored,
  expectProblem,
  readOk,
  START,
  startDevice,
} from '../../support/service.ts'
import {
  attestMinted,
  confirmationKey,
  makeProof,
  mintedClaims,
  mintToken,
  newDeviceKey,
  type ProofChanges,
  rememberHealthy,
  requestNonce,
  sign,
  submit,
} from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const service = await createTestService({ database })
await rememberHealthy(service, await startDevice())
afterAll(() => database.close())

beforeEach(() => service.clock.set(START))

/** Of a key that an anchor vouches for: refusals of others are kept for devices that are known. */
const vouchedClaims: typeof mintedClaims = (at, input) =>
  mintedClaims(at, { ...input, claims: { aikValidated: true, ...input.claims } })

const otherKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const otherRsaKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

/** An honest attempt that has not been sent, and what a test needs to change it. */
type Attempt = {
  readonly deviceKey: Uint8Array
  readonly nonce: string
  readonly token: string
  readonly proof: string
}

type Sent = { readonly token: string; readonly proof?: string }
type Change = (honest: Attempt) => Promise<Sent> | Sent

async function prepare(): Promise<Attempt> {
  const deviceKey = newDeviceKey()
  const nonce = await requestNonce(service, deviceKey)
  const token = await mintToken(service, vouchedClaims(service, { deviceKey, nonce }))
  return { deviceKey, nonce, token, proof: await makeProof(service, { nonce }) }
}

/** The honest token with other claims, and with another header. */
function tokenWith(claims: JWTPayload, header: Record<string, unknown> = {}): Change {
  return async ({ deviceKey, nonce, proof }) => {
    const payload = vouchedClaims(service, { deviceKey, nonce, claims })
    return { token: await mintToken(service, payload, header), proof }
  }
}

/** The honest token under a header that nobody signed. */
function headerWith(change: Record<string, unknown>): Change {
  return ({ token, proof }) => ({ token: rewriteHeader(token, change), proof })
}

function rewriteHeader(jws: string, change: Record<string, unknown>): string {
  const header = { ...decodeProtectedHeader(jws), ...change }
  return [toBase64Url(toUtf8(JSON.stringify(header))), ...jws.split('.').slice(1)].join('.')
}

function proofWith(change: Omit<ProofChanges, 'nonce'>): Change {
  return async ({ token, nonce }) => ({
    token,
    proof: await makeProof(service, { nonce, ...change }),
  })
}

/** Token and proof agree on a nonce, whichever it is. */
function nonceOf(make: (honest: Attempt) => Uint8Array | string): Change {
  return async (honest) => {
    const made = make(honest)
    const nonce = typeof made === 'string' ? made : toBase64Url(made)
    const payload = vouchedClaims(service, { deviceKey: honest.deviceKey, nonce })
    return { token: await mintToken(service, payload), proof: await makeProof(service, { nonce }) }
  }
}

const seconds = (offset: number) => START.getTime() / 1000 + offset
const DAY = 86_400

/** Whether the key was proven before the refusal: then, and only then, the attempt is kept. */
type Kept = 'kept' | 'not kept'
type Case = readonly [code: string, status: number, kept: Kept, tries: string, change: Change]

const TOKENS: readonly Case[] = [
  [
    'token_too_large',
    400,
    'not kept',
    'a megabyte for a token',
    () => ({ token: 'a'.repeat(65_537) }),
  ],
  ['token_malformed', 400, 'not kept', 'text for a token', () => ({ token: 'not.a-token' })],
  [
    'token_draft',
    401,
    'not kept',
    'an unsigned token',
    ({ token, proof }) => ({ token: forgeWithoutSignature(token), proof }),
  ],
  ['token_algorithm_refused', 401, 'not kept', 'an HMAC', headerWith({ alg: 'HS256' })],
  ['token_algorithm_refused', 401, 'not kept', 'an unknown algorithm', headerWith({ alg: 'XS1' })],
  ['token_type_refused', 401, 'not kept', 'another kind of JWT', tokenWith({}, { typ: 'at+jwt' })],
  [
    'token_critical_header',
    401,
    'not kept',
    'an unknown extension',
    headerWith({ crit: ['x'], x: 1 }),
  ],
  ['token_issuer_unknown', 401, 'not kept', 'another issuer', tokenWith({ iss: 'https://a.test' })],
  [
    'token_issuer_unknown',
    401,
    'not kept',
    'our issuer in capitals',
    tokenWith({ iss: 'HTTP://LOCALHOST:8080' }),
  ],
  [
    'token_key_unknown',
    401,
    'not kept',
    'the key of another instance',
    async ({ deviceKey, nonce, proof }) => {
      const payload = vouchedClaims(service, { deviceKey, nonce })
      const header = { kid: 'another', typ: 'JWT', jwk: publicJwk(otherRsaKey) }
      return { token: await sign(payload, header, otherRsaKey), proof }
    },
  ],
  [
    'token_signature_invalid',
    401,
    'not kept',
    'another key under our kid',
    async ({ deviceKey, nonce, token, proof }) => {
      const { kid } = decodeProtectedHeader(token)
      const payload = vouchedClaims(service, { deviceKey, nonce })
      return { token: await sign(payload, { kid, typ: 'JWT' }, otherRsaKey), proof }
    },
  ],
  [
    'token_policy_answer',
    401,
    'not kept',
    'the answer to a policy request',
    tokenWith({ 'x-ms-policy-result': 'CertificateAdded' }),
  ],
  ['token_version_refused', 401, 'not kept', 'version 2', tokenWith({ 'x-ms-ver': '2.0' })],
  ['token_claims_malformed', 400, 'not kept', 'no jti', tokenWith({ jti: '' })],
  ['token_policy_missing', 401, 'not kept', 'no policy', tokenWith({ 'x-ms-policy-hash': '' })],
  [
    'policy_not_pinned',
    401,
    'not kept',
    'a policy of their own',
    tokenWith({ 'x-ms-policy-hash': 'q80' }),
  ],
  ['token_expired', 401, 'not kept', 'a token that expired', tokenWith({ exp: seconds(-60) })],
  ['token_not_yet_valid', 401, 'not kept', 'a token for later', tokenWith({ nbf: seconds(61) })],
  ['token_issued_in_future', 401, 'not kept', 'a future token', tokenWith({ iat: seconds(61) })],
  ['token_too_old', 401, 'not kept', 'a token of long ago', tokenWith({ iat: seconds(-661) })],
  ['token_nonce_malformed', 400, 'not kept', 'no base64url', tokenWith({ nonce: '!' })],
  ['token_nonce_mismatch', 400, 'not kept', 'two nonces', tokenWith({ rp_data: 'AQID' })],
  [
    'token_confirmation_malformed',
    400,
    'not kept',
    'a cnf without a key',
    tokenWith({ cnf: { jwk: { kty: 'RSA' } } }),
  ],
  [
    'token_kind_refused',
    401,
    'not kept',
    'a token about an SGX enclave',
    tokenWith({ 'x-ms-attestation-type': 'sgx' }),
  ],
  ['token_without_confirmation', 401, 'not kept', 'no cnf', tokenWith({ cnf: undefined })],
  [
    'token_confirmation_unbound',
    401,
    'not kept',
    'a cnf that stands in no evidence',
    tokenWith({ vbsReportPresent: false, 'x-ms-tpm-request-key': undefined }),
  ],
  [
    'token_without_device_key',
    401,
    'not kept',
    'no attestation key',
    tokenWith({ aikPubHash: undefined }),
  ],
  [
    'token_without_device_key',
    401,
    'not kept',
    'an attestation key of another length',
    tokenWith({ aikPubHash: toBase64(digest('sha1')) }),
  ],
  [
    'token_without_nonce',
    401,
    'kept',
    'no nonce, and a proof that has an empty one',
    async ({ deviceKey }) => {
      const claims = { nonce: undefined, rp_data: undefined }
      const payload = vouchedClaims(service, { deviceKey, nonce: '', claims })
      const proof = await makeProof(service, { nonce: '' })
      return { token: await mintToken(service, payload), proof }
    },
  ],
]

const PROOFS: readonly Case[] = [
  ['proof_missing', 401, 'not kept', 'no proof', ({ token }) => ({ token })],
  [
    'proof_too_large',
    400,
    'not kept',
    'a huge proof',
    ({ token }) => ({ token, proof: 'a'.repeat(8193) }),
  ],
  ['proof_malformed', 400, 'not kept', 'text', ({ token }) => ({ token, proof: 'proof' })],
  [
    'proof_malformed',
    400,
    'not kept',
    'two proofs in one header',
    ({ token, proof }) => ({ token, proof: `${proof}, ${proof}` }),
  ],
  ['proof_type_refused', 401, 'not kept', 'a plain JWT', proofWith({ header: { typ: 'JWT' } })],
  [
    'proof_critical_header',
    401,
    'not kept',
    'an unknown extension',
    proofWith({ header: { crit: ['x'], x: 1 } }),
  ],
  [
    'proof_key_private',
    400,
    'not kept',
    'the private key itself',
    async (honest) => proofWith({ header: { jwk: await exportJWK(confirmationKey) } })(honest),
  ],
  [
    'proof_key_malformed',
    400,
    'not kept',
    'a key of another kind',
    proofWith({ header: { jwk: { kty: 'OKP', crv: 'Ed25519', x: 'AQID' } } }),
  ],
  [
    'proof_algorithm_refused',
    401,
    'not kept',
    'an HMAC',
    ({ token, proof }) => ({ token, proof: rewriteHeader(proof, { alg: 'HS256' }) }),
  ],
  ['proof_key_mismatch', 401, 'not kept', 'a key of their own', proofWith({ key: otherKey })],
  [
    'proof_signature_invalid',
    401,
    'not kept',
    'the attested key in name only',
    proofWith({ key: otherKey, header: { jwk: publicJwk(confirmationKey) } }),
  ],
  ['proof_claims_malformed', 400, 'not kept', 'no jti', proofWith({ claims: { jti: '' } })],
  ['proof_method_mismatch', 401, 'not kept', 'for GET', proofWith({ claims: { htm: 'GET' } })],
  [
    'proof_url_mismatch',
    401,
    'not kept',
    'for another service',
    proofWith({ claims: { htu: 'https://other.test/v1/attestations' } }),
  ],
  [
    'proof_issued_in_future',
    401,
    'not kept',
    'a future proof',
    proofWith({ claims: { iat: seconds(61) } }),
  ],
  ['proof_too_old', 401, 'not kept', 'an old proof', proofWith({ claims: { iat: seconds(-661) } })],
  [
    'proof_nonce_mismatch',
    401,
    'not kept',
    'the proof of another submission',
    async ({ token, deviceKey }) => {
      const nonce = await requestNonce(service, deviceKey)
      return { token, proof: await makeProof(service, { nonce }) }
    },
  ],
]

const NONCES: readonly Case[] = [
  ['nonce_malformed', 401, 'kept', 'a nonce of their own', nonceOf(() => 'AQID')],
  [
    'nonce_foreign',
    401,
    'kept',
    'the nonce of another service',
    nonceOf(({ deviceKey }) =>
      sealNonce({
        secret: new Uint8Array(32),
        deviceKey,
        random: new Uint8Array(16),
        expiresAt: new Date(START.getTime() + 300_000),
      }),
    ),
  ],
  [
    'nonce_foreign',
    401,
    'kept',
    'the nonce of another device',
    nonceOf(() =>
      sealNonce({
        secret: service.services.sealing.nonce[0],
        deviceKey: newDeviceKey(),
        random: new Uint8Array(16),
        expiresAt: new Date(START.getTime() + 300_000),
      }),
    ),
  ],
  [
    'nonce_expired',
    401,
    'kept',
    'the nonce of a challenge that is over',
    nonceOf(({ deviceKey }) =>
      sealNonce({
        secret: service.services.sealing.nonce[0],
        deviceKey,
        random: new Uint8Array(16),
        expiresAt: START,
      }),
    ),
  ],
]

const CLAIMS: readonly Case[] = [
  ['claims_wrong_type', 400, 'kept', 'text for a bool', tokenWith({ secureBootEnabled: 'true' })],
  [
    'claims_over_limit',
    400,
    'kept',
    'a huge claim',
    tokenWith({ bootRevListInfo: 'a'.repeat(16_385) }),
  ],
  ['claims_contradictory', 400, 'kept', 'yes and no', tokenWith({ vsmReportPresent: false })],
]

const produced = new Set<string>()

function noteProduced(code: string): void {
  produced.add(code)
  noteReason(code)
}

describe.each([
  ['token', TOKENS],
  ['proof', PROOFS],
  ['nonce', NONCES],
  ['claims', CLAIMS],
] as const)('a refused %s', (_name, cases) => {
  test.each(cases)('%s (%i), %s: %s', async (code, status, kept, _tries, change) => {
    const honest = await prepare()
    const sent = await change(honest)
    const before = await everythingStored(service.query)

    const answer = await submit(service, sent)
    const problem = await expectProblem(answer, status, code)
    const member = expect.stringMatching(code.startsWith('proof_') ? /^dpop/ : /^token/)
    expect(problem.where).toMatchObject({ member })
    noteProduced(code)
    const scheme = code.startsWith('proof_') ? 'invalid_dpop_proof' : 'invalid_token'
    expect(answer.headers.get('www-authenticate')).toBe(
      status === 401 ? `DPoP error="${scheme}", algs="PS256 RS256 ES256"` : null,
    )

    const { refusal: refusals, ...others } = await everythingStored(service.query)
    const { refusal: refusalsBefore, ...othersBefore } = before
    expect(others).toEqual(othersBefore)
    const deviceId = deviceIdOf(honest.deviceKey)
    const refusal = { stage: 'submission', reasons: [{ code }], claims: null }
    expect(await historyOf(deviceId)).toEqual(
      kept === 'kept' ? [expect.objectContaining(refusal)] : [],
    )
    if (kept === 'not kept') expect(refusals).toEqual(refusalsBefore)

    const { verdict } = await readOk(await submit(service, honest), 201)
    expect(verdict).toBe('trusted')
  })
})

function historyOf(deviceId: string) {
  return service.query(
    `select * from refusal where device_id = '${deviceId}' order by at, attestation_id`,
  )
}

/** Azure's keys come with the certificates of a chain, which bound their time. */
describe('the key of an issuer whose certificate', () => {
  test.each([
    ['is not valid yet', 'token_key_not_yet_valid', DAY, 2 * DAY],
    ['has expired', 'token_key_expired', -2 * DAY, -DAY],
  ])('%s signs nothing', async (_name, code, from, until) => {
    const validity = {
      notBefore: new Date(seconds(from) * 1000),
      notAfter: new Date(seconds(until) * 1000),
    }
    const bounded = await createTestService({
      database,
      alter: (services) => ({
        ...services,
        issuers: {
          async of(jwt) {
            const issuers = expectOk(await services.issuers.of(jwt))
            return ok(issuers.map((issuer) => withValidity(issuer, validity)))
          },
        },
      }),
    })
    const honest = await prepare()
    const before = await everythingStored(service.query)
    await expectProblem(await submit(bounded, honest), 401, code)
    noteProduced(code)
    expect(await everythingStored(service.query)).toEqual(before)
    await readOk(await submit(service, honest), 201)
  })
})

function withValidity(issuer: TokenIssuer, validity: IssuerKey['validity']): TokenIssuer {
  const keys = [...issuer.keys.keys].map(([kid, key]) => [kid, { ...key, validity }] as const)
  return { ...issuer, keys: { ...issuer.keys, keys: new Map(keys) } }
}

describe('a clock that is off by no more than the tolerance', () => {
  const cases: readonly [string, Change][] = [
    ['token from a minute ahead', tokenWith({ iat: seconds(60), nbf: seconds(60) })],
    ['token that expired 59 s ago', tokenWith({ exp: seconds(-59) })],
    ['token as old as allowed', tokenWith({ iat: seconds(-660) })],
    ['proof from a minute ahead', proofWith({ claims: { iat: seconds(60) } })],
    ['proof as old as allowed', proofWith({ claims: { iat: seconds(-660) } })],
  ]
  test.each(cases)('is accepted: a %s', async (_name, change) => {
    const sent = await change(await prepare())
    await readOk(await submit(service, sent), 201)
  })
})

test('a nonce is good until the very second at which it expires', async () => {
  const early = await prepare()
  const late = await prepare()
  service.clock.advance(299.999)
  await readOk(await submit(service, early), 201)
  service.clock.advance(0.001)
  await expectProblem(await submit(service, late), 401, 'nonce_expired')
  service.clock.set(START)
})

describe('a submission that counted', () => {
  test('counts once, however often it is sent', async () => {
    const honest = await prepare()
    await readOk(await submit(service, honest), 201)
    const before = await everythingStored(service.query)
    await readOk(await submit(service, honest), 201)
    const { refusal: _, ...others } = await everythingStored(service.query)
    const { refusal: __, ...othersBefore } = before
    expect(others).toEqual(othersBefore)
    expect(await historyOf(deviceIdOf(honest.deviceKey))).toEqual([])
  })

  test('spends its nonce for every other token and proof of the device', async () => {
    const honest = await prepare()
    await readOk(await submit(service, honest), 201)
    const { deviceKey, nonce, proof } = honest
    const token = await mintToken(service, vouchedClaims(service, { deviceKey, nonce }))
    await expectProblem(await submit(service, { token, proof }), 409, 'nonce_spent')
    const another = await makeProof(service, { nonce })
    await expectProblem(await submit(service, { token, proof: another }), 409, 'nonce_spent')
    noteProduced('nonce_spent')
  })

  test('leaves its proof good for no other nonce', async () => {
    const first = await prepare()
    const second = await prepare()
    await readOk(await submit(service, first), 201)
    const stolen = { token: second.token, proof: first.proof }
    await expectProblem(await submit(service, stolen), 401, 'proof_nonce_mismatch')
    await readOk(await submit(service, second), 201)
  })
})

describe('where devices have to be listed', () => {
  test('an unknown one is refused, and its nonce stays good', async () => {
    const listed = await createTestService({ database, env: { ENROLMENT: 'listed' } })
    const deviceKey = newDeviceKey()
    const { answer, deviceId } = await attestMinted(listed, {
      deviceKey,
      claims: { aikValidated: true },
    })
    await expectProblem(answer, 403, 'device_not_listed')
    noteProduced('device_not_listed')
    for (const table of ['device', 'spent_nonce', 'outbox']) {
      const rows = await service.query(`select * from ${table} where device_id = '${deviceId}'`)
      expect(rows, table).toEqual([])
    }
    expect(await historyOf(deviceId)).toHaveLength(1)
  })
})

test('two DPoP headers are one too many', async () => {
  const { token, proof, nonce } = await prepare()
  const headers = new Headers({ 'content-type': 'application/json', dpop: proof })
  headers.append('dpop', await makeProof(service, { nonce }))
  const answer = await service.post('/v1/attestations', { token }, { headers })
  await expectProblem(answer, 400, 'proof_malformed')
  await readOk(await submit(service, { token, proof }), 201)
})

test('of the refusals of a proven key only the newest are kept, however many it earns', async () => {
  const deviceKey = newDeviceKey()
  const busy = await createTestService({
    database,
    clock: service.clock,
    env: { DEVICE_ATTESTATIONS_PER_MINUTE: '1000' },
  })
  for (let i = 0; i < 25; i++) {
    service.clock.advance(1)
    const nonce = 'AQID'
    const token = await mintToken(busy, vouchedClaims(busy, { deviceKey, nonce }))
    const answer = await submit(busy, { token, proof: await makeProof(busy, { nonce }) })
    await expectProblem(answer, 401, 'nonce_malformed')
  }
  service.clock.set(START)
  expect(await historyOf(deviceIdOf(deviceKey))).toHaveLength(20)
})

test('refusals past the rate of a device are answered and not kept', async () => {
  const slow = await createTestService({ database, env: { DEVICE_ATTESTATIONS_PER_MINUTE: '2' } })
  const deviceKey = newDeviceKey()
  const nonce = 'AQID'
  const token = await mintToken(slow, vouchedClaims(slow, { deviceKey, nonce }))
  for (let i = 0; i < 5; i++) {
    const answer = await submit(slow, { token, proof: await makeProof(slow, { nonce }) })
    await expectProblem(answer, 401, 'nonce_malformed')
  }
  expect(await historyOf(deviceIdOf(deviceKey))).toHaveLength(2)
  const { answer } = await attestMinted(slow, { deviceKey })
  await readOk(answer, 201)
})

/** What a key that is replaced, or one of too many, is told. */
const ELSEWHERE: readonly string[] = ['attestation_overtaken', 'device_keys_exhausted']

test('every reason of a submission was seen over HTTP', () => {
  const all = [
    ...ATTESTATION_TOKEN_REASONS,
    ...PROOF_REASONS,
    ...NONCE_REASONS,
    ...SUBMISSION_REASONS,
    ...CLAIMS_REASONS,
    ...RECORDING_REASONS,
  ]
  const here = all.filter((reason) => !ELSEWHERE.includes(reason))
  expect([...produced].sort()).toEqual(here.sort())
})
