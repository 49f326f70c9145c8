import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { parseReferenceValues } from '../../src/appraisal/reference-values.ts'
import { RECOMMENDED_POLICY } from '../../src/azure/provider-policy/recommended.ts'
import { AttestationAgent } from '../../src/simulator/agent.ts'
import type { AgentFailure } from '../../src/simulator/service-client.ts'
import { listSimulatorReferenceValues } from '../../src/simulator/virtual-enclave.ts'
import { openPostgresStore } from '../../src/store/drivers/postgres.ts'
import type { Json } from '../../src/store/json.ts'
import {
  type AzureStandIn,
  type Outage,
  type StandInProvider,
  startAzure,
} from '../support/azure/stand-in.ts'
import { describePostgres, FORGETFUL, type Postgres, startPostgres } from '../support/postgres.ts'
import { putInForce } from '../support/put-in-force.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { startDevice } from '../support/service.ts'
import { type RunningWorker, runWorker } from '../support/workerd.ts'
import { buildWorkerOnce } from '../support/wrangler.ts'

const SECRET_KEY = Buffer.alloc(32, 7).toString('base64')
const PUBLIC_URL = 'http://localhost'

/** The Worker as it is deployed, in workerd, with Azure's SDKs in it and the stand-in before it. */
describePostgres('the relay in workerd', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-relay-'))
  const caFile = join(folder, 'ca.pem')
  const workers: RunningWorker[] = []
  let azure: AzureStandIn
  let provider: StandInProvider
  let postgres: Postgres
  let databaseUrl: string
  let script: string

  beforeAll(async () => {
    const built = buildWorkerOnce()
    azure = await startAzure()
    writeFileSync(caFile, azure.caPem)
    provider = await azure.createProvider({ policy: RECOMMENDED_POLICY })
    postgres = await startPostgres({ settings: FORGETFUL })
    databaseUrl = await postgres.createMigrated('service')
    script = readFileSync((await built).script, 'utf8')
    // The first request makes the documents that a service begins with.
    await (await serve([provider.url, 'built-in'])).fetch(new Request(`${PUBLIC_URL}/readyz`))
    await pin(provider)
  }, 120_000)

  afterEach(async () => {
    provider.recover()
    azure.recoverEntra()
    await Promise.all(workers.splice(0).map((worker) => worker.close()))
  })

  afterAll(async () => {
    await azure?.close()
    await postgres?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  async function serve(
    verifiers: readonly string[],
    settings: Readonly<Record<string, string>> = {},
  ): Promise<RunningWorker> {
    const bindings = {
      ...azure.environment(verifiers),
      AZURE_TIMEOUT_SECONDS: '1',
      DEVICE_ATTESTATIONS_PER_MINUTE: '6000',
      LOG_LEVEL: 'silent',
      SECRET_KEY,
      PUBLIC_URL,
      ...settings,
    }
    const worker = await runWorker({ script, bindings, databaseUrl, caFile })
    workers.push(worker)
    return worker
  }

  /** Puts the simulator's enclave and the policies of these providers into force. */
  async function pin(...providers: readonly StandInProvider[]): Promise<void> {
    const azure_policies = providers.map(({ url, attestationPolicyHash }) => {
      return { issuer: url, hash: attestationPolicyHash() }
    })
    const body = { ...listSimulatorReferenceValues(), azure_policies }
    const { hash } = expectOk(parseReferenceValues(body))
    const store = openPostgresStore({ url: databaseUrl, poolSize: 1 })
    const why = { author: 'test', reason: 'test', now: new Date() }
    await putInForce(store, { kind: 'reference-values', hash, body: body as Json, ...why })
    await store.close()
  }

  async function agentOf(worker: RunningWorker, interrupt = () => {}) {
    let messages = 0
    return new AttestationAgent({
      device: await startDevice(),
      baseUrl: PUBLIC_URL,
      maxAttempts: 1,
      async fetch(sent) {
        const answer = await worker.fetch(sent)
        if (new URL(sent.url).pathname === '/attest/Tpm' && ++messages === 1) interrupt()
        return answer
      },
    })
  }

  const verdictOf = async (worker: RunningWorker) =>
    expectOk(await (await agentOf(worker)).attest()).verdict

  /** To be repeated later, and nothing of Azure's insides is told. */
  const expectOutage = async (agent: AttestationAgent, step: AgentFailure['step']) => {
    const failure = expectRefusal(await agent.attest(), 'agent_request_refused')
    expect(failure).toMatchObject({ step, status: 503 })
    expect(JSON.stringify(failure)).not.toMatch(/Enclave|localhost|AADSTS|TypeError/)
  }

  test('passes both messages on, and the token of Azure is trusted', async () => {
    const worker = await serve([provider.url])
    expect(await verdictOf(worker)).toBe('trusted')
    const ready = await (await worker.fetch(new Request(`${PUBLIC_URL}/readyz`))).json()
    expect(ready).toMatchObject({ verifiers: { [provider.url]: 'ok' } })
  })

  test('answers many agents at once', async () => {
    // However busy the machine is that all of them are on.
    const worker = await serve([provider.url], { AZURE_TIMEOUT_SECONDS: '30' })
    const verdicts = await Promise.all(Array.from({ length: 12 }, () => verdictOf(worker)))
    expect(new Set(verdicts)).toEqual(new Set(['trusted']))
  })

  test('with a certificate in place of the secret', async () => {
    const worker = await serve([provider.url], {
      AZURE_CREDENTIAL: 'client-certificate',
      AZURE_CLIENT_CERTIFICATE: azure.clientCertificatePem,
    })
    expect(await verdictOf(worker)).toBe('trusted')
  })

  const OUTAGES: readonly [string, Outage][] = [
    ['cannot be reached', { kind: 'refuse_connections' }],
    ['never answers', { kind: 'hang' }],
    ['breaks off', { kind: 'cut' }],
    ['fails', { kind: 'status', status: 500, body: 'Attestation Enclave operation failed' }],
    ['is busy', { kind: 'status', status: 429, headers: { 'retry-after': '7' } }],
  ]

  describe.each(OUTAGES)('a provider that %s', (_name, outage) => {
    test('before the first message: come back, or our own verifier takes over', async () => {
      provider.fail(outage)
      await expectOutage(await agentOf(await serve([provider.url])), 'init')
      expect(await verdictOf(await serve([provider.url, 'built-in']))).toBe('trusted')
    })

    test('between the messages: come back', async () => {
      const worker = await serve([provider.url])
      await expectOutage(await agentOf(worker, () => provider.fail(outage)), 'request')
    })
  })

  test('a provider that is slow is waited for', async () => {
    provider.fail({ kind: 'slow', ms: 300 })
    expect(await verdictOf(await serve([provider.url]))).toBe('trusted')
  })

  test('an access token for another audience is an outage, and so is no token', async () => {
    const scope = { AZURE_ATTESTATION_SCOPE: 'https://management.azure.com/.default' }
    await expectOutage(await agentOf(await serve([provider.url], scope)), 'init')
    const secret = { AZURE_CLIENT_SECRET: 'wrong' }
    await expectOutage(await agentOf(await serve([provider.url], secret)), 'init')
    azure.failEntra({ kind: 'refuse_connections' })
    await expectOutage(await agentOf(await serve([provider.url])), 'init')
  })

  test('evidence that the policy refuses, an expired leaf and an unpinned policy', async () => {
    const other = await azure.createProvider({ policy: RECOMMENDED_POLICY })
    const worker = await serve([other.url])
    const unpinned = await (await agentOf(worker)).attest()
    expect(expectRefusal(unpinned, 'agent_request_refused')).toMatchObject({
      code: 'policy_not_pinned',
    })
    other.expireLeaf()
    await pin(provider, other)
    const expired = await (await agentOf(await serve([other.url]))).attest()
    expect(expectRefusal(expired, 'agent_request_refused')).toMatchObject({
      code: 'token_key_expired',
    })
    other.setPolicy('version=1.2; authorizationrules {}; issuancerules {};')
    const refused = await (await agentOf(worker)).attest()
    expect(expectRefusal(refused, 'agent_request_refused')).toMatchObject({
      step: 'request',
      status: 400,
      code: 'provider_refused',
    })
  })
})
