import { parseReferenceValues } from '../../../src/appraisal/reference-values.ts'
import { RECOMMENDED_POLICY } from '../../../src/azure/provider-policy/recommended.ts'
import { runControl } from '../../../src/compose/jobs.ts'
import { watchVerifiers } from '../../../src/operations/jobs/watch-verifiers.ts'
import { makeAttestationRequest } from '../../../src/simulator/attestation-request.ts'
import type { VirtualDevice } from '../../../src/simulator/virtual-device.ts'
import { listSimulatorReferenceValues } from '../../../src/simulator/virtual-enclave.ts'
import type { Json as StoredJson } from '../../../src/store/json.ts'
import type { StandInProvider } from '../../support/azure/provider.ts'
import { startAzure, trustStandIn } from '../../support/azure/stand-in.ts'
import type { Json } from '../../support/json.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { expectOk } from '../../support/refusal.ts'
import {
  createTestService,
  readOk,
  startDevice,
  type TestClock,
  type TestService,
  testClock,
} from '../../support/service.ts'
import type { TestDatabase } from '../../support/test-database.ts'

/** How long evidence counts, and how much longer while its verifier is away. */
export const VALIDITY = 3600
export const GRACE = 1800
/** Control runs four times as often by default, and five times as rarely at most. */
export const INTERVAL = 60

/**
 * Two processes on one store before one provider: the stand-in for Azure Attestation, over real
 * HTTPS. Its answers are ours; that Azure fails like this is what its documentation says.
 */
export type WatchedFleet = {
  readonly clock: TestClock
  readonly provider: StandInProvider
  readonly a: TestService
  readonly b: TestService
  readonly device: VirtualDevice
  /** Attests through a process and gives the verdict. */
  readonly attest: (through: TestService, device?: VirtualDevice) => Promise<string>
  /** Whether a device has access, and thanks to what. */
  readonly ask: (through: TestService, device?: VirtualDevice) => Promise<Json>
  /** Time goes on, and each of the processes looks at its intervals. */
  readonly pass: (seconds: number, processes?: readonly TestService[]) => Promise<void>
  readonly openHolds: () => Promise<readonly Json[]>
  /** One more process, on the same database. */
  readonly startProcess: (alter?: Alter) => Promise<TestService>
  /** Puts policies of the provider into force. */
  readonly pin: (...hashes: readonly string[]) => Promise<void>
  /** A request that reads as one, of nobody: with this a client asks the provider for anything. */
  readonly strangeRequest: () => Promise<string>
  readonly close: () => Promise<void>
}

type Alter = NonNullable<Parameters<typeof createTestService>[0]['alter']>

export async function openWatchedFleet(
  open: () => Promise<TestDatabase>,
  env: Readonly<Record<string, string>> = {},
): Promise<WatchedFleet> {
  const clock = testClock()
  // Entra keeps the time of the machine, as the credential does that remembers its tokens.
  const [database, azure] = [await open(), await startAzure()]
  trustStandIn(azure)
  const provider = await azure.createProvider({ policy: RECOMMENDED_POLICY, clock: clock.now })
  const settings = {
    ...azure.environment([provider.url]),
    AZURE_TIMEOUT_SECONDS: '1',
    ATTESTATION_VALIDITY_SECONDS: String(VALIDITY),
    OUTAGE_GRACE_SECONDS: String(GRACE),
    ...env,
  }
  const startProcess = (alter?: Alter) =>
    createTestService({ database, clock, env: settings, ...(alter && { alter }) })
  const [a, b] = [await startProcess(), await startProcess()]
  const device = await startDevice()
  const pin = (...hashes: readonly string[]) => pinPolicies(a, provider, hashes)
  await pin(provider.attestationPolicyHash())
  return {
    clock,
    provider,
    a,
    b,
    device,
    attest: async (through, other = device) =>
      expectOk(await through.agentOf(other).attest()).verdict,
    ask: (through, other = device) => askAbout(through, other),
    async pass(seconds, processes = [a, b]) {
      for (let passed = 0; passed < seconds; passed += INTERVAL) {
        clock.advance(INTERVAL)
        for (const { services } of processes) await watchVerifiers(services)
        // One of them ends what has expired; the rest of control is not asked here.
        await runControl(a.services)
      }
    },
    async openHolds() {
      const holds = await database.store.listHolds(10)
      return holds.filter(({ endedAt }) => endedAt === null)
    },
    startProcess,
    pin,
    strangeRequest: async () =>
      makeAttestationRequest({
        device,
        version: 2,
        challenge: new Uint8Array(16),
        serviceContext: 'AAAA',
        rpId: 'https://nobody.example',
        rpData: 'AAAA',
      }),
    close: async () => {
      await Promise.all([azure.close(), database.close()])
    },
  }
}

async function pinPolicies(
  { services }: TestService,
  provider: StandInProvider,
  hashes: readonly string[],
): Promise<void> {
  const azure_policies = hashes.map((hash) => ({ issuer: provider.url, hash }))
  const body = { ...listSimulatorReferenceValues(), azure_policies }
  const { hash } = expectOk(parseReferenceValues(body))
  const names = { author: 'test', reason: 'test', now: services.clock() }
  const document = { kind: 'reference-values', hash, body: body as StoredJson } as const
  await putInForce(services.store, { ...document, ...names })
}

async function askAbout(through: TestService, device: VirtualDevice): Promise<Json> {
  const { device_id: id } = await readOk(
    await through.post('/v1/challenge', { device_key: device.deviceKey }),
  )
  const question = {
    subject: { type: 'device', id },
    action: { name: 'signin' },
    resource: { type: 'application', id: 'payroll' },
  }
  const headers = await through.as('access.evaluate')
  return await readOk(await through.post('/access/v1/evaluation', question, { headers }))
}

/** What an anonymous client sends to `/attest/Tpm`. */
export function sendMessage(through: TestService, payload: object): Promise<Response> {
  const data = Buffer.from(JSON.stringify({ payload })).toString('base64url')
  return through.post('/attest/Tpm?api-version=2025-06-01', { data })
}
