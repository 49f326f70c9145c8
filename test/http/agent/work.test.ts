import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { explainToDevice } from '../../../src/access/explain.ts'
import { readLanguages } from '../../../src/access/language.ts'
import { describeReason } from '../../../src/access/reason-text.ts'
import { deriveVerdict } from '../../../src/access/verdict.ts'
import { appraise } from '../../../src/appraisal/appraise.ts'
import { appraiseOrigin } from '../../../src/appraisal/origin.ts'
import { readAttestationClaims } from '../../../src/appraisal/read-claims.ts'
import { decodeCompactJws } from '../../../src/evidence/jws/compact-jws.ts'
import { readConfirmationKey } from '../../../src/evidence/jws/confirmation-key.ts'
import { importJwsKey, verifyJwsSignature } from '../../../src/evidence/jws/jws-signature.ts'
import { decodeAttestationToken } from '../../../src/evidence/token/attestation-token-kind.ts'
import { evaluatePolicy } from '../../../src/policy/language/evaluate.ts'
import { publicJwk } from '../../../src/simulator/attestation-request.ts'
import { readRequestOfKinds } from '../../../src/verifier/protocol/attest-request.ts'
import { readAgentMessage } from '../../../src/verifier/protocol/protocol.ts'
import { readRequestJws } from '../../../src/verifier/protocol/request-jws.ts'
import { type AzureStandIn, startAzure, trustStandIn } from '../../support/azure/stand-in.ts'
import { expectOk } from '../../support/refusal.ts'
import { createTestService, readOk, startDevice, type TestService } from '../../support/service.ts'
import {
  attestMinted,
  confirmationKey,
  makeProof,
  mintedClaims,
  mintToken,
  newDeviceKey,
  rememberHealthy,
  requestNonce,
  submit,
} from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

/**
 * How often each thing is done on the way of one message. The functions are the real ones, whose
 * calls are counted; nobody else can say how often ours are called.
 */
const COUNTED = {
  decodeAttestationToken,
  decodeCompactJws,
  readConfirmationKey,
  importJwsKey,
  verifyJwsSignature,
  readAttestationClaims,
  appraise,
  appraiseOrigin,
  evaluatePolicy,
  deriveVerdict,
  readLanguages,
  explainToDevice,
  describeReason,
  readAgentMessage,
  readRequestJws,
  readRequestOfKinds,
}

vi.mock('../../../src/access/explain.ts', { spy: true })
vi.mock('../../../src/access/language.ts', { spy: true })
vi.mock('../../../src/access/reason-text.ts', { spy: true })
vi.mock('../../../src/access/verdict.ts', { spy: true })
vi.mock('../../../src/appraisal/appraise.ts', { spy: true })
vi.mock('../../../src/appraisal/read-claims.ts', { spy: true })
vi.mock('../../../src/appraisal/origin.ts', { spy: true })
vi.mock('../../../src/evidence/jws/compact-jws.ts', { spy: true })
vi.mock('../../../src/evidence/jws/confirmation-key.ts', { spy: true })
vi.mock('../../../src/evidence/jws/jws-signature.ts', { spy: true })
vi.mock('../../../src/evidence/token/attestation-token-kind.ts', { spy: true })
vi.mock('../../../src/policy/language/evaluate.ts', { spy: true })
vi.mock('../../../src/verifier/protocol/protocol.ts', { spy: true })
vi.mock('../../../src/verifier/protocol/attest-request.ts', { spy: true })
vi.mock('../../../src/verifier/protocol/request-jws.ts', { spy: true })

const database = await openTestDatabase()
const device = await startDevice()
let azure: AzureStandIn
let service: TestService

/** A provider is listed, so that its tokens have to be told from ours, and it cannot be reached. */
beforeAll(async () => {
  azure = await startAzure()
  trustStandIn(azure)
  const provider = await azure.createProvider()
  provider.fail({ kind: 'status', status: 500 })
  const env = { ...azure.environment([provider.url, 'built-in']), AZURE_TIMEOUT_SECONDS: '1' }
  service = await createTestService({ database, env })
  await rememberHealthy(service, device)
  // The key of our own verifier is imported with the first of its tokens.
  await attestMinted(service)
})
afterAll(() => Promise.all([azure.close(), database.close()]))
beforeEach(() => {
  vi.clearAllMocks()
})

function counts(): Record<string, number> {
  const calls = Object.entries(COUNTED).map(([name, counted]) => {
    return [name, vi.mocked(counted).mock.calls.length] as const
  })
  return Object.fromEntries(calls.filter(([, count]) => count > 0))
}

/** Property reads of what `JSON.parse` made of a text that contains `mark`. */
function countReads(mark: string) {
  const reads = new Map<string, number>()
  const { parse } = JSON
  let parsed = 0
  const spy = vi.spyOn(JSON, 'parse').mockImplementation((text, reviver) => {
    const value: unknown = parse(text, reviver)
    if (typeof value !== 'object' || value === null || !text.includes(mark)) return value
    parsed += 1
    return new Proxy(value, {
      get(target, name, receiver) {
        reads.set(String(name), (reads.get(String(name)) ?? 0) + 1)
        return Reflect.get(target, name, receiver)
      },
      getOwnPropertyDescriptor(target, name) {
        const key = `own ${String(name)}`
        reads.set(key, (reads.get(key) ?? 0) + 1)
        return Reflect.getOwnPropertyDescriptor(target, name)
      },
    })
  })
  return { reads, parsed: () => parsed, stop: () => spy.mockRestore() }
}

describe('on the way of a submission', () => {
  const send = async (claims: Readonly<Record<string, unknown>> = {}) => {
    const deviceKey = newDeviceKey()
    const nonce = await requestNonce(service, deviceKey)
    const payload = mintedClaims(service, { deviceKey, nonce, claims })
    const token = await mintToken(service, payload)
    const proof = await makeProof(service, { nonce })
    vi.clearAllMocks()
    return { answer: await submit(service, { token, proof, language: 'de' }), nonce }
  }

  test('nothing is decoded, read, appraised, derived or told twice', async () => {
    const { answer } = await send({ testSigningDisabled: false, secureBootEnabled: false })
    const { verdict, reasons } = await readOk(answer, 201)
    expect(verdict).toBe('untrusted')
    expect(reasons.length).toBeGreaterThan(1)
    expect(counts()).toEqual({
      decodeAttestationToken: 1,
      // Of the token and of the proof.
      decodeCompactJws: 2,
      readConfirmationKey: 1,
      // Of the device; the issuer's is imported once for all of them.
      importJwsKey: 1,
      verifyJwsSignature: 2,
      readAttestationClaims: 1,
      appraise: 1,
      appraiseOrigin: 1,
      evaluatePolicy: 1,
      deriveVerdict: 1,
      readLanguages: 1,
      explainToDevice: 1,
      describeReason: reasons.length,
    })
  })

  test('a device that waits for admission has its standing looked at, and its clauses no second time', async () => {
    const approval = await createTestService({ database, env: { ENROLMENT: 'approval' } })
    const deviceKey = newDeviceKey()
    const nonce = await requestNonce(approval, deviceKey)
    const token = await mintToken(approval, mintedClaims(approval, { deviceKey, nonce }))
    const proof = await makeProof(approval, { nonce })
    vi.clearAllMocks()
    const { verdict, code } = await readOk(await submit(approval, { token, proof }), 201)
    expect({ verdict, code }).toEqual({ verdict: 'unknown', code: 'wait' })
    expect(counts()).toMatchObject({ appraise: 1, appraiseOrigin: 1, evaluatePolicy: 1 })
    expect(
      vi.mocked(deriveVerdict).mock.calls.map(([{ clauseOutcomes }]) => clauseOutcomes),
    ).toEqual([expect.arrayContaining([expect.anything()]), []])
  })

  test('the token is parsed once and classified once, and its key is thumbprinted once', async () => {
    const stringify = vi.spyOn(JSON, 'stringify')
    const mark = '"x-ms-policy-hash"'
    const { reads, parsed, stop } = countReads(mark)
    try {
      await readOk((await send()).answer, 201)
    } finally {
      stop()
    }
    expect(parsed()).toBe(1)
    // The first thing that the kind of a token is told by, and nothing else asks for it.
    expect(reads.get('own x-ms-policy-result')).toBe(1)
    // Once by the walk that counts the members, and once by the reader of claims.
    expect(reads.get('secureBootEnabled')).toBe(2)
    const { crv, kty, x, y } = publicJwk(confirmationKey)
    const thumbprinted = JSON.stringify({ crv, kty, x, y })
    const hashed = stringify.mock.results.filter(({ value }) => value === thumbprinted)
    stringify.mockRestore()
    // One of these is the line before.
    expect(hashed).toHaveLength(2)
  })
})

describe('on the way of evidence that our own verifier answers beside a provider', () => {
  test('the request is read once', async () => {
    const agent = service.agentOf(device)
    const { nonce } = expectOk(await agent.requestChallenge())
    vi.clearAllMocks()
    expectOk(await agent.obtainToken(nonce))
    // Of the initial message and of the request.
    const expected = { readAgentMessage: 2, readRequestJws: 1, readRequestOfKinds: 1 }
    expect(counts()).toMatchObject(expected)
  })
})
