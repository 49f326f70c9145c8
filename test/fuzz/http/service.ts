import { setTimeout as delay } from 'node:timers/promises'
import { createNodeServer } from '../../../src/compose/node-server.ts'
import { createPublishedKeySets } from '../../../src/keysets/key-sets.ts'
import { SCOPES, type Scope } from '../../../src/oauth/scopes.ts'
import { keepStatusList } from '../../../src/operations/status-list/keep-list.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { listSimulatorReferenceValues } from '../../../src/simulator/virtual-enclave.ts'
import { openPostgresStore } from '../../../src/store/drivers/postgres.ts'
import { EXTENSIONS_CALLER } from '../../../src/vendors/entra/caller.ts'
import { MAX_EVALUATION_SECONDS } from '../../../src/vendors/limits.ts'
import { makeProviderKey, type ProviderKey, signAs } from '../../http/vendors/world.ts'
import { freePort } from '../../support/free-port.ts'
import { FORGETFUL, startPostgres } from '../../support/postgres.ts'
import { createTestService, startDevice, type TestService } from '../../support/service.ts'

/** A service that listens, as a fuzzer finds it: with devices, and with a client of each scope. */
export type FuzzedService = {
  readonly url: string
  readonly clients: readonly FuzzedClient[]
  /** What the fuzzer puts into requests now and then, so that not all of them are refused. */
  readonly known: object
  /** Lines of the log about faults of the service. */
  readonly faults: () => readonly string[]
  readonly close: () => Promise<void>
}

export type FuzzedClient = {
  readonly name: string
  readonly mayAll: boolean
  readonly id: string
  readonly secret: string
}

const HOST = '127.0.0.1'
const DEVICES = 3
const TENANT = '30000000-0000-0000-0000-000000000003'
const ENTRA_APP = '50000000-0000-0000-0000-000000000005'

const TEAM = 'fuzzed'
const POSTURE_AUDIENCE = 'a'.repeat(64)
const OKTA_REDIRECT = 'https://fuzzed.okta.com/oauth2/v1/authorize/callback'
const EVALUATIONS = 300
/** Another document than the one in force, so that it can be previewed, rolled out and released. */
const WITHOUT_A_CLAUSE = { ...BASELINE_POLICY, clauses: BASELINE_POLICY.clauses.slice(0, -1) }
const LIST_EVERY_MS = 10_000

/** The service as `serve` starts it, but for the keys of identity providers, which none of them would give us. */
export async function startFuzzedService(): Promise<FuzzedService> {
  const postgres = await startPostgres({ settings: FORGETFUL })
  const url = await postgres.createMigrated('fuzzed')
  const store = openPostgresStore({ url, poolSize: 8 })
  const port = await freePort()
  const publicUrl = `http://${HOST}:${port}`
  const key = await makeProviderKey('provider-1')
  const service = await createTestService({
    database: { store, serve: (answer) => answer(), query: async () => [], close: store.close },
    clock: { now: () => new Date(), advance: () => {}, set: () => {} },
    env: {
      LOG_LEVEL: 'error',
      PUBLIC_URL: publicUrl,
      ENTRA_TENANT_ID: TENANT,
      ENTRA_APP_ID: ENTRA_APP,
      OKTA_ORGANISATION: 'https://fuzzed.okta.com',
      CLOUDFLARE_TEAM: TEAM,
      CLOUDFLARE_POSTURE_AUDIENCE: POSTURE_AUDIENCE,
      SIGN_IN_CLIENTS: JSON.stringify([
        { provider: 'okta', client_id: 'fuzzed', redirect_uris: [OKTA_REDIRECT] },
      ]),
    },
    alter: (services) => ({
      ...services,
      callerKeySets: createPublishedKeySets({
        clock: services.clock,
        fetchJson: async () => ({ keys: [key.jwk] }),
      }),
    }),
  })
  const server = createNodeServer({ host: HOST, port })
  server.answer = service.app.fetch
  await server.listen()
  const devices = await attest(service)
  const keeper = await keepList(service)
  return {
    url: publicUrl,
    clients: await makeClients(service),
    known: {
      devices,
      vendors: await makeVendorTokens(key),
      okta_redirect: OKTA_REDIRECT,
      documents: { policy: WITHOUT_A_CLAUSE, 'reference-values': listSimulatorReferenceValues() },
      soon: new Date(Date.now() + 86_400_000).toISOString(),
    },
    faults: () => service.logs.filter((line) => line.includes('"fault"')),
    async close() {
      clearInterval(keeper)
      await server.close(service.services.log)
      await store.close()
      await postgres.stop()
    },
  }
}

/**
 * The one job that answers rest on. No other runs: what the fuzzer has streams pushed to is any place in the world,
 * and nothing is to be sent there.
 */
async function keepList({ services }: TestService): Promise<NodeJS.Timeout> {
  await keepStatusList(services)
  return setInterval(() => keepStatusList(services).catch(console.error), LIST_EVERY_MS)
}

async function attest(service: TestService): Promise<readonly string[]> {
  const ids: string[] = []
  for (let count = 0; count < DEVICES; count += 1) {
    const attested = await service.agentOf(await startDevice()).attest()
    if (!attested.ok)
      throw new TypeError(`a device of the fuzzer was refused: ${attested.failure.reason}`)
    ids.push(attested.value.device_id)
    await delay(1)
  }
  return ids
}

/** One that may do all, then one for each scope. */
async function makeClients(service: TestService): Promise<readonly FuzzedClient[]> {
  const kinds: readonly (readonly [string, readonly Scope[]])[] = [
    ['all scopes', SCOPES],
    ...SCOPES.map((scope) => [scope, [scope]] as const),
  ]
  const clients: FuzzedClient[] = []
  for (const [name, scopes] of kinds) {
    const { authorization = '' } = await service.as(...scopes)
    const [id = '', secret = ''] = Buffer.from(authorization.slice('Basic '.length), 'base64')
      .toString()
      .split(':')
    clients.push({ name, mayAll: scopes === SCOPES, id, secret })
  }
  return clients
}

/** What identity providers prove themselves by: each evaluation of Cloudflare has a nonce of its own. */
async function makeVendorTokens(key: ProviderKey) {
  const iat = Math.floor(Date.now() / 1000)
  const exp = iat + 3600
  const issuer = `https://${TEAM}.cloudflareaccess.com`
  const evaluation = (nonce: number) =>
    signAs(key, {
      ...{ nonce: `nonce ${nonce}`, iat, exp: iat + MAX_EVALUATION_SECONDS, type: 'external' },
      identity: { email: 'ada@example.com', ip: '192.0.2.7', geo: { country: 'DE' } },
    })
  return {
    entra: await signAs(key, {
      ...{ iss: `https://login.microsoftonline.com/${TENANT}/v2.0`, aud: ENTRA_APP, iat, exp },
      ...{ nbf: iat, tid: TENANT, azp: EXTENSIONS_CALLER, azpacr: '2', ver: '2.0' },
    }),
    cloudflare: await signAs(key, {
      ...{ iss: issuer, aud: [POSTURE_AUDIENCE], type: 'app', sub: '', iat, exp },
      common_name: 'fuzzed.access',
    }),
    evaluations: await Promise.all(Array.from({ length: EVALUATIONS }, (_, n) => evaluation(n))),
    tenant: TENANT,
  }
}
