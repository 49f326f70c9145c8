import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseReferenceValues } from '../../../src/appraisal/reference-values.ts'
import { RECOMMENDED_POLICY } from '../../../src/azure/provider-policy/recommended.ts'
import { createLog } from '../../../src/base/log.ts'
import { type NodeService, startNodeService } from '../../../src/compose/node-service.ts'
import { readNodeConfig } from '../../../src/config/node-config.ts'
import { describeApi } from '../../../src/http/openapi/document.ts'
import { openPostgresStore } from '../../../src/store/drivers/postgres.ts'
import { expectOfForm, messagesIn } from '../../support/api-messages.ts'
import { type AzureStandIn, startAzure, trustStandIn } from '../../support/azure/stand-in.ts'
import { freePort } from '../../support/free-port.ts'
import {
  describePostgres,
  FORGETFUL,
  type Postgres,
  startPostgres,
} from '../../support/postgres.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { type RecordingProxy, startRecordingProxy } from '../../support/recording-proxy.ts'
import { expectOk } from '../../support/refusal.ts'
import {
  createVendorClient,
  describeVendorAgent,
  runVendorAgent,
  type VendorAgentRun,
} from '../../support/vendor-agent.ts'
import { type RunningWorker, runWorker } from '../../support/workerd.ts'
import { buildWorkerOnce } from '../../support/wrangler.ts'

/** Four TPMs, ten attestations, on a machine that may be busy with other tests. */
const STORY_MS = 300_000
const START_MS = 180_000

const SECRET_KEY = Buffer.alloc(32, 7).toString('base64')
const log = createLog({ level: 'silent', write: () => {}, clock: () => new Date() })

/** Each step came out as the agent says that it should, and it has said so of all ten. */
function expectRight(run: VendorAgentRun): void {
  const told = [...run.lines, run.complaints].join('\n')
  expect(run.status, told).toBe(0)
  expect(run.lines.filter((line) => line.startsWith('ok ')).length, told).toBe(10)
  expect(run.lines.at(-1), told).toBe('right')
}

/** The service as `npm run -s countersign -- serve` starts it, on a port of loopback, under its own URL. */
async function serve(settings: Readonly<Record<string, string>> = {}): Promise<NodeService> {
  const port = await freePort()
  const config = await readNodeConfig({
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    DATA_DIR: 'memory',
    SECRET_KEY,
    ...settings,
  })
  return startNodeService(config, { log })
}

describeVendorAgent("a vendor's agent, which had the documentation alone,", () => {
  describe('on Node', () => {
    let service: NodeService
    let proxy: RecordingProxy
    let url: string
    beforeAll(async () => {
      const port = await freePort()
      url = `http://127.0.0.1:${port}`
      service = await serve({ PUBLIC_URL: url })
      proxy = await startRecordingProxy(port, service.url)
    }, START_MS)
    afterAll(async () => {
      await proxy?.close()
      await service?.close()
    })

    test('has healthy devices trusted, and tampered ones not', { timeout: STORY_MS }, async () => {
      const client = await createVendorClient(service.services.store)
      expectRight(await runVendorAgent(url, client))
    })

    test('says what the OpenAPI document says, and is answered so', () => {
      const messages = proxy.exchanges.flatMap(messagesIn)
      for (const message of messages) expectOfForm(message)
      const forms = new Set(messages.map(([name]) => name))
      expect([...forms].sort()).toEqual([
        ...['AgentEnvelope', 'AgentMessage', 'AnswerEnvelope', 'Attestation'],
        ...['AttestationSubmission', 'AttestationTokenClaims', 'AttestationTokenHeader'],
        ...['AzureError', 'Challenge', 'ChallengeMessage', 'ChallengeRequest'],
        ...['DeviceTokenClaims', 'ProofClaims', 'ProofHeader', 'ReportMessage', 'RequestHeader'],
        ...['RequestPayloadV1', 'RequestPayloadV2'],
      ])
    })

    test('ends with another status when it is not let in', async () => {
      const run = await runVendorAgent(url, { id: 'cli_nobody', secret: 'wrong' })
      expect(run.status).toBe(2)
    })
  })

  describe('through the relay to Azure Attestation', () => {
    let azure: AzureStandIn
    let service: NodeService
    beforeAll(async () => {
      azure = await startAzure()
      trustStandIn(azure)
      const provider = await azure.createProvider({ policy: RECOMMENDED_POLICY })
      service = await serve(azure.environment([provider.url]))
      const hash = provider.attestationPolicyHash()
      await pin(service, { issuer: provider.url, hash })
    }, START_MS)
    afterAll(async () => {
      await service?.close()
      await azure?.close()
    })

    test('has healthy devices trusted, and tampered ones not', { timeout: STORY_MS }, async () => {
      const client = await createVendorClient(service.services.store)
      expectRight(await runVendorAgent(service.url, client))
    })
  })

  describePostgres('in workerd', () => {
    let postgres: Postgres
    let databaseUrl: string
    let worker: RunningWorker
    beforeAll(async () => {
      const built = buildWorkerOnce()
      postgres = await startPostgres({ settings: FORGETFUL })
      databaseUrl = await postgres.createMigrated('service')
      const port = await freePort()
      const PUBLIC_URL = `http://127.0.0.1:${port}`
      const script = readFileSync((await built).script, 'utf8')
      const bindings = { SECRET_KEY, PUBLIC_URL, LOG_LEVEL: 'silent' }
      worker = await runWorker({ script, bindings, databaseUrl, port })
    }, START_MS)
    afterAll(async () => {
      await worker?.close()
      await postgres?.stop()
    })

    test('has healthy devices trusted, and tampered ones not', { timeout: STORY_MS }, async () => {
      // The first request makes the documents that a service begins with.
      const described = await fetch(`${worker.url}/openapi.json`)
      expect(await described.text()).toBe(JSON.stringify(describeApi()))
      const store = openPostgresStore({ url: databaseUrl, poolSize: 1 })
      const client = await createVendorClient(store)
      await store.close()
      expectRight(await runVendorAgent(worker.url, client))
    })
  })
})

/** Lists the policy of a provider in the reference values in force, as its administrator would. */
async function pin(
  { services: { store } }: NodeService,
  policy: { readonly issuer: string; readonly hash: string },
): Promise<void> {
  const body = { enclaves: [], azure_policies: [policy] }
  const { hash } = expectOk(parseReferenceValues(body))
  const why = { author: 'test', reason: 'test', now: new Date() }
  await putInForce(store, { kind: 'reference-values', hash, body, ...why })
}
