import { generateKeyPairSync } from 'node:crypto'
import { toBase64Url, toUtf8 } from '../../../../src/base/encoding.ts'
import { readData } from '../../../../src/cli/vectors/envelope.ts'
import type { VectorExchange } from '../../../../src/cli/vectors/exchange.ts'
import { keysOfDevice } from '../../../../src/cli/vectors/fixed-device.ts'
import { VECTORS_NOW, VECTORS_URL } from '../../../../src/cli/vectors/fixed-service.ts'
import {
  ATTEST_PATH,
  type RefusalBench,
  SUBMISSION_PATH,
  TRYING_RUN,
} from '../../../../src/cli/vectors/refusal-bench.ts'
import { publicJwk } from '../../../../src/simulator/attestation-request.ts'
import { CHANCE } from '../../../../src/simulator/chance.ts'
import { signPs256 } from '../../../../src/simulator/compact-jws.ts'
import { privateJwk } from '../../../../src/simulator/fixed-keys.ts'
import type { RefusalCase } from './case.ts'

const requestKey = () => keysOfDevice(TRYING_RUN).request
const seconds = (from: number) => new Date(VECTORS_NOW.getTime() + from * 1000)
const part = (json: object) => toBase64Url(toUtf8(JSON.stringify(json)))

/** The token of the good run with another header: whoever has no key of ours can do that. */
function tokenWith(header: Readonly<Record<string, unknown>>) {
  return async (bench: RefusalBench) => {
    const [head = '', ...rest] = bench.token.split('.')
    const given = JSON.parse(Buffer.from(head, 'base64url').toString())
    const token = [part({ ...given, ...header }), ...rest].join('.')
    return bench.submit({ token, proof: await bench.proof() })
  }
}

/** The same with another claim. */
function claimsWith(claims: Readonly<Record<string, unknown>>) {
  return async (bench: RefusalBench) => {
    const [head, body = '', signature] = bench.token.split('.')
    const given = JSON.parse(Buffer.from(body, 'base64url').toString())
    const token = [head, part({ ...given, ...claims }), signature].join('.')
    return bench.submit({ token, proof: await bench.proof() })
  }
}

/** A proof by the request key that says something else. */
function proofWith(change: {
  readonly header?: Readonly<Record<string, unknown>>
  readonly claims?: Readonly<Record<string, unknown>>
}) {
  return async (bench: RefusalBench) => {
    const header = { typ: 'dpop+jwt', alg: 'PS256', jwk: publicJwk(requestKey()), ...change.header }
    const iat = VECTORS_NOW.getTime() / 1000
    const url = VECTORS_URL + SUBMISSION_PATH
    const claims = { jti: 'one', htm: 'POST', htu: url, iat, nonce: bench.nonce, ...change.claims }
    const payload = toUtf8(JSON.stringify(claims))
    const proof = await signPs256({ header, payload, key: requestKey(), chance: CHANCE })
    return bench.submit({ proof })
  }
}

/** A token of the service for a request that has something else in it, and a proof to it. */
async function attestWith(
  bench: RefusalBench,
  input: { readonly rpData: string | undefined; readonly v1Basic?: true },
) {
  const { rpData, v1Basic } = input
  const answered = await bench.request({
    device: await bench.deviceAfter(),
    ...(v1Basic && { version: 1, withoutEnclave: true }),
    tamper: { data: (data) => ({ ...data, rp_data: rpData }) },
  })
  const { data } = answered.answer.body as { readonly data: string }
  const { payload } = readData(data) as { readonly payload: { readonly report: string } }
  return bench.submit({
    token: payload.report,
    proof: await bench.proof({ nonce: rpData ?? '' }),
  })
}

const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })

/** What anybody can hand in: the keys of the service sign none of it but tokens for evidence. */
export const SUBMISSION_CASES: readonly RefusalCase[] = [
  {
    ...{ reason: 'token_too_large', tries: 'a token of 70000 characters', status: 400 },
    where: { member: 'token' },
    send: async (bench) => {
      return bench.submit({ token: 'a'.repeat(70_000), proof: await bench.proof() })
    },
  },
  {
    ...{ reason: 'token_malformed', tries: 'text', status: 400 },
    where: { member: 'token' },
    send: async (bench) => bench.submit({ token: 'token', proof: await bench.proof() }),
  },
  {
    reason: 'token_draft',
    tries: 'alg none',
    status: 401,
    where: { member: 'token' },
    send: tokenWith({ alg: 'none' }),
  },
  {
    ...{ reason: 'token_algorithm_refused', tries: 'HMAC', status: 401 },
    where: { member: 'token' },
    send: tokenWith({ alg: 'HS256' }),
  },
  {
    reason: 'token_type_refused',
    tries: 'typ at+jwt',
    status: 401,
    where: { member: 'token' },
    send: tokenWith({ typ: 'x' }),
  },
  {
    ...{ reason: 'token_critical_header', tries: 'an extension', status: 401 },
    where: { member: 'token' },
    send: tokenWith({ crit: ['x'], x: 1 }),
  },
  {
    ...{ reason: 'token_issuer_unknown', tries: 'another issuer', status: 401 },
    where: { member: 'token' },
    send: claimsWith({ iss: 'https://other.example' }),
  },
  {
    ...{ reason: 'token_key_unknown', tries: 'another key', status: 401 },
    where: { member: 'token' },
    send: tokenWith({ kid: 'other' }),
  },
  {
    ...{ reason: 'token_too_old', tries: 'the token 661 seconds later', status: 401 },
    where: { member: 'token' },
    send: async (bench) => {
      return bench.submit({ proof: await bench.proof({ now: seconds(961) }), later: 961 })
    },
  },
  {
    ...{ reason: 'token_expired', tries: 'the token the day after', status: 401 },
    where: { member: 'token' },
    send: async (bench) => {
      return bench.submit({ proof: await bench.proof({ now: seconds(86_400) }), later: 86_400 })
    },
  },
  {
    ...{ reason: 'token_without_nonce', tries: 'evidence without rp_data', status: 401 },
    where: { member: 'token.nonce' },
    send: (bench) => attestWith(bench, { rpData: undefined }),
  },
  {
    ...{ reason: 'token_without_confirmation', tries: 'a key that nothing binds', status: 401 },
    where: { member: 'token.cnf' },
    settings: { LEGACY_UNBOUND_REQUEST_KEY: 'accept' },
    send: (bench) => attestWith(bench, { rpData: bench.nonce, v1Basic: true }),
  },
  {
    ...{ reason: 'nonce_malformed', tries: 'a nonce of their own', status: 401 },
    where: { member: 'token.nonce' },
    send: (bench) => attestWith(bench, { rpData: 'AQID' }),
  },
  {
    ...{ reason: 'nonce_foreign', tries: 'the nonce of another device', status: 401 },
    where: { member: 'token.nonce' },
    send(bench) {
      const { body } = bench.exchangeOf('challenge', 'v2-basic').answer
      return attestWith(bench, { rpData: (body as { readonly nonce: string }).nonce })
    },
  },
  {
    ...{ reason: 'proof_too_large', tries: 'a proof of 9000 characters', status: 400 },
    where: { member: 'dpop' },
    send: (bench) => bench.submit({ proof: 'a'.repeat(9000) }),
  },
  {
    ...{ reason: 'proof_malformed', tries: 'text', status: 400 },
    where: { member: 'dpop' },
    send: (bench) => bench.submit({ proof: 'proof' }),
  },
  {
    ...{ reason: 'proof_type_refused', tries: 'a plain JWT', status: 401 },
    where: { member: 'dpop.typ' },
    send: proofWith({ header: { typ: 'JWT' } }),
  },
  {
    ...{ reason: 'proof_critical_header', tries: 'an extension', status: 401 },
    where: { member: 'dpop.crit' },
    send: proofWith({ header: { crit: ['x'], x: 1 } }),
  },
  {
    ...{ reason: 'proof_key_private', tries: 'the private key', status: 400 },
    where: { member: 'dpop.jwk' },
    send: (bench) => proofWith({ header: { jwk: privateJwk(requestKey()) } })(bench),
  },
  {
    ...{ reason: 'proof_key_malformed', tries: 'a key of another kind', status: 400 },
    where: { member: 'dpop.jwk' },
    send: proofWith({ header: { jwk: ed25519 } }),
  },
  {
    ...{ reason: 'proof_algorithm_refused', tries: 'HMAC', status: 401 },
    where: { member: 'dpop.alg' },
    send: proofWith({ header: { alg: 'HS256' } }),
  },
  {
    ...{ reason: 'proof_signature_invalid', tries: 'the request key in name only', status: 401 },
    where: { member: 'dpop' },
    async send(bench) {
      const [head = '', ...rest] = (await bench.proof()).split('.')
      const other = await bench.proof({ now: seconds(1) })
      return bench.submit({ proof: [head, rest[0], other.split('.')[2]].join('.') })
    },
  },
  {
    ...{ reason: 'proof_claims_malformed', tries: 'no jti', status: 400 },
    where: { member: 'dpop.jti' },
    send: proofWith({ claims: { jti: '' } }),
  },
  {
    ...{ reason: 'proof_method_mismatch', tries: 'for GET', status: 401 },
    where: { member: 'dpop.htm' },
    send: proofWith({ claims: { htm: 'GET' } }),
  },
]

/** What is wrong before anybody looks at what was asked, on each surface. */
export const BODY_CASES: readonly RefusalCase[] = [
  ATTEST_PATH,
  SUBMISSION_PATH,
  '/v1/challenge',
  '/v1/enrolments',
  '/v1/enrolments/activate',
].flatMap((path): readonly RefusalCase[] => [
  {
    ...{ reason: 'content_type_not_json', tries: `text for ${path}`, status: 415 },
    send: (bench) => bench.post(path, {}, { 'content-type': 'text/plain' }),
  },
  {
    ...{ reason: 'body_too_large', tries: `two million characters for ${path}`, status: 413 },
    send: (bench) => bench.post(path, `"${'a'.repeat(2_000_000)}"`),
  },
  {
    ...{ reason: 'body_too_deep', tries: `lists in lists for ${path}`, status: 400 },
    send: (bench) => bench.post(path, `${'['.repeat(400)}${']'.repeat(400)}`),
  },
  {
    ...{ reason: 'text_not_storable', tries: `half a surrogate pair for ${path}`, status: 400 },
    send: (bench) => bench.post(path, '{"x":"\\ud800"}'),
  },
  {
    reason: path === ATTEST_PATH ? 'json_malformed' : 'body_not_json',
    ...{ tries: `no JSON for ${path}`, status: 400 },
    ...(path === ATTEST_PATH && { where: { member: 'body', offset: 1 } }),
    send: (bench) => bench.post(path, '{'),
  },
])

/** Two at once, where there is place for one: what the second is told. */
function both(send: (bench: RefusalBench) => Promise<VectorExchange>) {
  return async (bench: RefusalBench) => {
    const [one, other] = await Promise.all([send(bench), send(bench)])
    return one.answer.status === 503 ? one : other
  }
}

/** What is told to who comes when all places are taken. */
export const BUSY_CASES: readonly RefusalCase[] = [
  {
    ...{ reason: 'verifier_busy', tries: 'two messages at once', status: 503 },
    settings: { MAX_CONCURRENT_VERIFICATIONS: '1' },
    send: both((bench) => bench.send(bench.exchangeOf('init').request)),
  },
  {
    ...{ reason: 'submissions_busy', tries: 'two submissions at once', status: 503 },
    settings: { MAX_CONCURRENT_SUBMISSIONS: '1' },
    send: both((bench) => bench.send(bench.exchangeOf('submission').request)),
  },
  {
    ...{ reason: 'enrolment_busy', tries: 'two enrolments at once', status: 503 },
    settings: { MAX_CONCURRENT_VERIFICATIONS: '1' },
    send: both((bench) => bench.send(bench.exchangeOf('enrolment', 'enrolment').request)),
  },
]
