import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { parseReferenceValues } from '../../../src/appraisal/reference-values.ts'
import { RECOMMENDED_POLICY } from '../../../src/azure/provider-policy/recommended.ts'
import { COMMAND } from '../../../src/base/command.ts'
import type { AgentFailure } from '../../../src/simulator/service-client.ts'
import { listSimulatorReferenceValues } from '../../../src/simulator/virtual-enclave.ts'
import type { Json } from '../../../src/store/json.ts'
import type { StandInProvider } from '../../support/azure/provider.ts'
import { type AzureStandIn, startAzure, trustStandIn } from '../../support/azure/stand-in.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import {
  createTestService,
  everythingStored,
  readOk,
  startDevice,
  type TestService,
  testClock,
} from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const clock = testClock()
const database = await openTestDatabase()
const device = await startDevice()
let azure: AzureStandIn
let provider: StandInProvider

beforeAll(async () => {
  azure = await startAzure({ clock: clock.now })
  trustStandIn(azure)
  provider = await azure.createProvider({ policy: RECOMMENDED_POLICY })
  await pin(await serve([provider.url, 'built-in']), provider.attestationPolicyHash())
})
afterAll(() => Promise.all([azure.close(), database.close()]))
afterEach(() => {
  provider.recover()
  provider.setPolicy(RECOMMENDED_POLICY)
  azure.recoverEntra()
})

function serve(verifiers: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return createTestService({
    database,
    clock,
    env: { ...azure.environment(verifiers), AZURE_TIMEOUT_SECONDS: '1', ...env },
  })
}

/** Puts the simulator's enclave and these policies of the provider into force. */
async function pin(service: TestService, ...hashes: readonly string[]): Promise<void> {
  const azure_policies = hashes.map((hash) => ({ issuer: provider.url, hash }))
  const body = { ...listSimulatorReferenceValues(), azure_policies }
  const { hash } = expectOk(parseReferenceValues(body))
  const names = { author: 'test', reason: 'test', now: clock.now() }
  const kind = 'reference-values' as const
  await putInForce(service.services.store, { kind, hash, body: body as Json, ...names })
  clock.advance(2)
}

const verdictOf = async (service: TestService) =>
  expectOk(await service.agentOf(device).attest()).verdict

/** The answer to a request that has to be repeated later: never a verdict, and nothing is stored. */
async function expectOutage(service: TestService, step: AgentFailure['step']): Promise<void> {
  const before = await everythingStored(service.query)
  const outcome = await service.agentOf(device).attest()
  const failure = expectRefusal(outcome, 'agent_request_refused')
  expect(failure).toMatchObject({ step, status: 503 })
  expect(JSON.stringify(failure)).not.toMatch(/Enclave|localhost|AADSTS|fetch|ECONN/)
  expect(await everythingStored(service.query)).toEqual(before)
}

describe('a provider that answers', () => {
  test('attests the device, whose record says who verified it', async () => {
    const service = await serve([provider.url])
    expect(await verdictOf(service)).toBe('trusted')
    const [row] = await service.query('select issuer, policy_hash from device')
    expect(row).toEqual({ issuer: provider.url, policy_hash: provider.attestationPolicyHash() })
    const bearers = provider.requests.filter(({ path }) => path.startsWith('/attest'))
    expect(bearers.every(({ authorization }) => authorization?.startsWith('Bearer '))).toBe(true)
  })

  test('refuses evidence, and the agent learns no more than that', async () => {
    const service = await serve([provider.url, 'built-in'])
    provider.setPolicy('version=1.2; authorizationrules {}; issuancerules {};')
    const failure = expectRefusal(await service.agentOf(device).attest(), 'agent_request_refused')
    expect(failure).toMatchObject({ step: 'request', status: 400, code: 'provider_refused' })
    expect(failure).toHaveProperty('detail', expect.not.stringContaining('Enclave'))
  })
})

describe('a policy that is not pinned', () => {
  test('is refused, and the log names the command that repairs it', async () => {
    const service = await serve([provider.url])
    provider.setPolicy(`${RECOMMENDED_POLICY}\n`)
    const failure = expectRefusal(await service.agentOf(device).attest(), 'agent_request_refused')
    expect(failure).toMatchObject({ step: 'submission', status: 401, code: 'policy_not_pinned' })
    expect(service.logs.join('')).toContain(`${COMMAND} azure policy pin`)
    expect(service.logs.join('')).toContain(provider.attestationPolicyHash())
  })

  test('is accepted once it is pinned beside the one before', async () => {
    const service = await serve([provider.url])
    const before = provider.attestationPolicyHash()
    provider.setPolicy(`${RECOMMENDED_POLICY}\n`)
    await pin(service, before, provider.attestationPolicyHash())
    expect(await verdictOf(service)).toBe('trusted')
    provider.setPolicy(RECOMMENDED_POLICY)
    expect(await verdictOf(service)).toBe('trusted')
  })
})

describe('keys of the provider', () => {
  test('that are rotated are fetched when their first token comes', async () => {
    const service = await serve([provider.url])
    expect(await verdictOf(service)).toBe('trusted')
    await provider.rotateKeys()
    clock.advance(61)
    expect(await verdictOf(service)).toBe('trusted')
  })

  test('whose certificate has expired sign nothing, although they are listed', async () => {
    const other = await azure.createProvider({ policy: RECOMMENDED_POLICY })
    const service = await serve([other.url])
    await other.expireLeaf()
    const failure = expectRefusal(await service.agentOf(device).attest(), 'agent_request_refused')
    expect(failure).toMatchObject({ step: 'submission', status: 401, code: 'token_key_expired' })
  })

  test('that cannot be fetched make a token wait, and refuse nothing', async () => {
    const service = await serve([provider.url])
    provider.fail({ kind: 'status', status: 500 }, { path: /^\/certs/ })
    await expectOutage(service, 'submission')
    clock.advance(61)
    provider.recover()
    expect(await verdictOf(service)).toBe('trusted')
  })
})

describe.each([
  ['cannot be reached', { kind: 'refuse_connections' }],
  ['never answers', { kind: 'hang' }],
  ['breaks off', { kind: 'cut' }],
  ['fails', { kind: 'status', status: 500, body: 'Attestation Enclave operation failed' }],
  ['is busy', { kind: 'status', status: 429, headers: { 'retry-after': '7' } }],
] as const)('a provider that %s', (_name, outage) => {
  test('before the first message: the agent is asked to come back', async () => {
    const service = await serve([provider.url])
    provider.fail(outage)
    await expectOutage(service, 'init')
  })

  test('between the messages: the agent is asked to come back', async () => {
    const service = await serve([provider.url])
    const before = await everythingStored(service.query)
    const outcome = await interruptedAgent(service, () => provider.fail(outage)).attest()
    const failure = expectRefusal(outcome, 'agent_request_refused')
    expect(failure).toMatchObject({ step: 'request', status: 503 })
    expect(await everythingStored(service.query)).toEqual(before)
  })

  test('before the first message: our own verifier takes over where it is listed', async () => {
    const service = await serve([provider.url, 'built-in'])
    provider.fail(outage)
    expect(await verdictOf(service)).toBe('trusted')
    const [row] = await service.query('select issuer from device')
    expect(row).toEqual({ issuer: service.url })
  })
})

/** An agent between whose two messages something happens. */
function interruptedAgent(service: TestService, interrupt: () => void) {
  let messages = 0
  return service.agentOf(device, {
    async fetch(sent) {
      const answer = await service.app.fetch(sent)
      if (new URL(sent.url).pathname === '/attest/Tpm' && ++messages === 1) interrupt()
      return answer
    },
  })
}

describe('an outage', () => {
  test('is shown by readiness and metrics, which stay in service, and ends by itself', async () => {
    const service = await serve([provider.url, 'built-in'])
    provider.fail({ kind: 'status', status: 500 })
    for (let tries = 0; tries < 6; tries++) await service.agentOf(device).attest()
    const states = { [provider.url]: 'unreachable', 'built-in': 'ok' }
    expect(await readOk(await service.request('/readyz'))).toMatchObject({ verifiers: states })
    const metrics = async () => (await service.request('/metrics')).text()
    const gauge = `countersign_verifier_available{verifier="${provider.url}"}`
    expect(await metrics()).toContain(`${gauge} 0`)
    provider.recover()
    clock.advance(600)
    expect(await verdictOf(service)).toBe('trusted')
    expect(await metrics()).toContain(`${gauge} 1`)
  })

  test('of Entra is an outage of the provider', async () => {
    const service = await serve([provider.url])
    azure.failEntra({ kind: 'refuse_connections' })
    await expectOutage(service, 'init')
  })

  test('asks agents to come back at different times', async () => {
    const service = await serve([provider.url])
    provider.fail({ kind: 'status', status: 503, headers: { 'retry-after': '30' } })
    const waits = new Set<string | null>()
    for (let tries = 0; tries < 12; tries++) {
      const data = Buffer.from('{"payload":{"type":"aikcert"}}').toString('base64url')
      const answer = await service.post('/attest/Tpm?api-version=2020-10-01', { data })
      expect(answer.status).toBe(503)
      waits.add(answer.headers.get('retry-after'))
    }
    expect(waits.size).toBeGreaterThan(3)
    for (const wait of waits) expect(Number(wait)).toBeGreaterThanOrEqual(5)
  })

  test('changes no verdict', async () => {
    const service = await serve([provider.url])
    expect(await verdictOf(service)).toBe('trusted')
    provider.fail({ kind: 'refuse_connections' })
    await service.agentOf(device).attest()
    const [row] = await service.query('select verdict from device')
    expect(row).toEqual({ verdict: 'trusted' })
  })
})

describe('tokens of a verifier that is not configured', () => {
  test('our own: refused where only Azure is listed', async () => {
    const both = await serve([provider.url, 'built-in'])
    const only = await serve([provider.url])
    provider.fail({ kind: 'refuse_connections' })
    const agent = both.agentOf(device)
    const { nonce } = expectOk(await agent.requestChallenge())
    const token = expectOk(await agent.obtainToken(nonce))
    const outcome = await only.agentOf(device).submitToken({ token, nonce })
    const failure = expectRefusal(outcome, 'agent_request_refused')
    expect(failure).toHaveProperty('code', 'token_issuer_unknown')
  })

  test("another provider's, whose keys are the same: refused", async () => {
    const other = await azure.createProvider({ policy: RECOMMENDED_POLICY })
    const theirs = (await serve([other.url])).agentOf(device)
    const { nonce } = expectOk(await theirs.requestChallenge())
    const token = expectOk(await theirs.obtainToken(nonce))
    const outcome = await (await serve([provider.url]))
      .agentOf(device)
      .submitToken({ token, nonce })
    const failure = expectRefusal(outcome, 'agent_request_refused')
    expect(failure).toHaveProperty('code', 'token_issuer_unknown')
  })
})

test('with two providers a request finds the one that made its challenge', async () => {
  const first = await azure.createProvider({ policy: RECOMMENDED_POLICY })
  const service = await serve([first.url, provider.url])
  first.fail({ kind: 'status', status: 500 })
  await pin(service, provider.attestationPolicyHash())
  expectOk(await interruptedAgent(service, () => first.recover()).attest())
})
