import { Hono } from 'hono'
import { deviceIdOf } from '../../../src/access/device-id.ts'
import { digest } from '../../../src/base/digest.ts'
import { toBase64Url, toUtf8 } from '../../../src/base/encoding.ts'
import { consoleServices } from '../../../src/compose/people.ts'
import { consoleHeaders } from '../../../src/http/console/headers.ts'
import { consoleAssets, consolePages } from '../../../src/http/console/pages.ts'
import type { HttpEnv } from '../../../src/http/environment.ts'
import { requestContext } from '../../../src/http/middleware/request-context.ts'
import { hashClientSecret } from '../../../src/keys/client-secret.ts'
import { createClient } from '../../../src/operations/clients/create-client.ts'
import { setEntities } from '../../../src/operations/entities/change-entities.ts'
import type { SignedIn } from '../../../src/operations/people/session.ts'
import { createReceiver, oktaReceiver } from '../../../src/operations/signals/create-receiver.ts'
import { newStreamId } from '../../../src/operations/signals/stream-id.ts'
import type { Scope, Store } from '../../../src/store/store.ts'
import { BUILT_IN_POLICY_HASH } from '../../../src/verifier/built-in-policy.ts'
import { policyWith } from '../../operations/release/documents.ts'
import {
  type DeviceChanges,
  openSmallFleet,
  type SmallFleet,
  START,
} from '../../operations/release/small-fleet.ts'
import { HEALTHY } from '../../policy/healthy-device.ts'
import { attestationOf, refusalOf } from '../../store/fixtures.ts'
import { startDevice } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

/** What a browser could run, and what a spreadsheet or a terminal could, as people write it into names. */
export const SCRIPTS = [
  `<script>window.pwned=1</script>`,
  `"><img src=x onerror=window.pwned=1>`,
  `javascript:window.pwned=1`,
  `'"&<b>bold</b>`,
  `=HYPERLINK("http://evil.example","x")`,
  `\u001b[2J\u202eevil`,
] as const

export type ConsoleWorld = {
  readonly fleet: SmallFleet
  readonly get: (path: string, scopes?: readonly Scope[]) => Promise<Response>
  readonly post: (
    path: string,
    form: Readonly<Record<string, string>>,
    scopes?: readonly Scope[],
    personId?: string,
  ) => Promise<Response>
  /** The pages as whoever has these scopes sees them. */
  readonly appFor: (scopes: readonly Scope[]) => Hono<HttpEnv>
  readonly close: () => Promise<void>
}

const SIGNED_IN = {
  session: { sessionId: 'ses_test', expiresAt: new Date(0) },
  person: { personId: 'person:test', name: 'Tess Example', roles: ['owner'] },
  cookie: undefined,
} as const satisfies Partial<SignedIn>

const OWNER: readonly Scope[] = ['admin.write']

export async function openConsoleWorld(
  wrap?: (store: Store) => Store,
  env: Readonly<Record<string, string>> = {},
): Promise<ConsoleWorld> {
  let database: TestDatabase | undefined
  const open = async () => {
    database = await openTestDatabase()
    return database
  }
  const fleet = await openSmallFleet({ open, env, ...(wrap !== undefined && { wrap }) })
  // Within what a runtime lets one request have.
  const answer = async (
    scopes: readonly Scope[],
    request: Request,
    personId?: string,
  ): Promise<Response> => {
    if (database === undefined) throw new TypeError('no database')
    return database.serve(async () => await appFor(scopes, personId).fetch(request))
  }
  const { services } = fleet.service
  const appFor = (scopes: readonly Scope[], clientId = 'person:test') =>
    new Hono<HttpEnv>()
      .use(requestContext(services))
      .use(async (c, next) => {
        c.set('client', { clientId, scopes })
        c.set('signedIn', { ...SIGNED_IN, scopes })
        await next()
      })
      .use(consoleHeaders(services.config.publicUrl))
      .route('/', consolePages(consoleServices(services)))
      .route('/', consoleAssets())
  const get = async (path: string, scopes = OWNER) =>
    await answer(scopes, new Request(new URL(path, 'http://localhost')))
  return {
    fleet,
    get,
    post: async (path, form, scopes = OWNER, personId = undefined) => {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      const body = new URLSearchParams(form).toString()
      const target = new URL(path, 'http://localhost')
      const request = new Request(target, { method: 'POST', headers, body })
      return await answer(scopes, request, personId)
    },
    appFor,
    close: fleet.close,
  }
}

const DAY_MS = 86_400_000
const QUARTER_MS = 900_000

/** A fleet with everything that a page can show. Ids of devices by what is so about them. */
export async function populate({ fleet }: ConsoleWorld) {
  const { store, service } = fleet
  const now = service.clock.now()
  const healthy = await makeDevices(fleet, 12, { ring: 3 })
  const [denied = ''] = await makeDevices(fleet, 1, { labels: ['vip', 'lab 2'] })
  const [good, bad] = [await startDevice(), await startDevice({ boot: { secureBoot: false } })]
  const logs = { good: good.bootLog.bytes, bad: bad.bootLog.bytes }
  await attestBadly(fleet, denied, logs)
  const [quarantined = '', allowed = '', hostile = ''] = healthy
  const by = { by: 'ops@example.com', now }
  await store.setDeviceAttributes({
    ...{ deviceId: denied, ...by },
    changes: { owner: 'ada@example.com', name: 'LAPTOP-ADA', serial: 'PF-1234' },
  })
  await store.setDeviceAttributes({
    ...{ deviceId: hostile, ...by },
    changes: { owner: SCRIPTS[0], name: SCRIPTS[1], serial: SCRIPTS[4], labels: [...SCRIPTS] },
  })
  await store.quarantineDevice({ deviceId: quarantined, reason: 'lost on a train', ...by })
  await store.createOverride({
    ...{ overrideId: 'ovr_test', what: { action: 'allow' }, author: 'ops@example.com', now },
    ...{ target: { kind: 'device', name: allowed }, reason: 'waits for a part' },
    expiresAt: new Date(now.getTime() + DAY_MS),
  })
  const counts = (away: number) => ({
    verdicts: {
      trusted: 11_240 - away,
      untrusted: 12 + away,
      stale: 30,
      unknown: 4,
      quarantined: 3,
    },
    failing: {
      'enforce:secure_boot_on': 12 + away,
      'enforce:enclave_current': 2,
      'report:bitlocker_on': 41,
    },
  })
  for (let step = 110; step >= 0; step--) {
    const at = new Date(now.getTime() - step * QUARTER_MS)
    await store.keepFleetSummary({ counts: counts((step * 7) % 23), at })
  }
  await fleet.start(policyWith('attestation.enclaveSvn >= 7'), { pass: 'enforce', stage: 1 })
  await store.beginHold({
    ...{ holdId: 'hld_test', cause: { kind: 'clause', clause: 'bitlocker_on' }, covers: now },
    ...{ until: new Date(now.getTime() + DAY_MS), evidence: { devices: 40 } },
    ...{ lengthen: false, most: 8, restMs: 0, now },
  })
  const client = await makeClients(fleet)
  const stream = await makeStream(fleet, healthy.slice(6, 9))
  await makeEntities(fleet)
  return { healthy, denied, quarantined, allowed, hostile, logs, client, stream }
}

/** What is known of a person, and of somebody with a name like an attack. */
async function makeEntities({ store, service }: SmallFleet): Promise<void> {
  const type = { kind: 'subject', type: 'user' } as const
  const names = ['ada@example.com', ...SCRIPTS]
  await setEntities(store, {
    entities: names.map((id) => ({ ...type, id, properties: { note: id }, source: undefined })),
    ...{ source: 'test', by: 'ops@example.com', now: service.clock.now() },
  })
}

/** A stream that waits for events of these devices, and whose receiver has refused one; its id. */
export async function makeStream(
  { store, service }: SmallFleet,
  deviceIds: readonly string[],
): Promise<string> {
  const { clock } = service
  const receiver = oktaReceiver('https://example.okta.com')
  const streamId = await createReceiver(
    {
      ...{ store, clock: clock.now, newStreamId: () => newStreamId(service.services.random) },
      sealAuthorization: (text) => text,
      makeEventKey: async () => {},
    },
    { ...receiver, audience: SCRIPTS[0] },
    'ops@example.com',
  )
  if (streamId === undefined) throw new Error('the receiver has a stream already')
  for (const [at, deviceId] of deviceIds.entries()) {
    const change = { deviceId, reason: 'for events', by: 'ops@example.com' }
    const begun = clock.now().getTime() + 2 * at
    await store.quarantineDevice({ ...change, now: new Date(begun) })
    await store.releaseDevice({ ...change, now: new Date(begun + 1) })
  }
  const now = new Date(clock.now().getTime() + 60_000)
  const [due] = await store.dueDeliveries({ streamId, now, limit: 1 })
  if (due === undefined) throw new Error('nothing waits for the stream')
  const failure = '400: {"err":"invalid_key","description":"<b>no</b>"}'
  const refused = { ...due, outcome: 'refused', delivered: [], failure } as const
  await store.settleDeliveries({ outcomes: [refused], now })
  return streamId
}

/** A client with a name like an attack, and one whose secret was changed; the id of that. */
async function makeClients({ store, service }: SmallFleet): Promise<string> {
  const { services } = service
  const by = { by: 'ops@example.com', now: service.clock.now() }
  await createClient(services, { name: SCRIPTS.join(' '), scopes: ['ssf.read'], ...by })
  const scopes = ['access.evaluate', 'admin.read'] as const
  const { clientId } = await createClient(services, { name: 'gateway', scopes, ...by })
  const secretHash = hashClientSecret('another secret')
  const until = new Date(by.now.getTime() + DAY_MS)
  await store.rotateClientSecret({ clientId, secretHash, until, expiresAt: null, ...by })
  return clientId
}

/** A quarter of an hour of good attestations, then one without Secure Boot, and one that was refused. */
async function attestBadly(
  { store }: SmallFleet,
  deviceId: string,
  logs: { readonly good: Uint8Array; readonly bad: Uint8Array },
): Promise<void> {
  const digestOf = (bytes: Uint8Array) => toBase64Url(digest('sha256', bytes))
  const recorded = (at: number, changes: object) => {
    const input = attestationOf({ deviceId, claims: HEALTHY, at, ...changes })
    const attestation = { ...input.attestation, attestationPolicyHash: BUILT_IN_POLICY_HASH }
    return store.recordAttestation({ ...input, attestation })
  }
  const digests = { boot_log: digestOf(logs.good) }
  for (const at of [60, 120, 240]) await recorded(at, { digests })
  const reasons = [{ code: 'clause_failed', clause: 'secure_boot_on' }]
  await recorded(360, {
    claims: { ...HEALTHY, secureBootEnabled: false, bitlockerEnabled: false },
    ...{ verdict: 'untrusted', reasons, failedClauses: ['secure_boot_on', 'bitlocker_on'] },
    digests: { boot_log: digestOf(logs.bad) },
  })
  const refused = { code: 'log_pcr_mismatch', bank: 'sha256', pcrs: [7], event: 17 }
  await store.recordRefusal({
    ...refusalOf(deviceId, { stage: 'evidence', reasons: [refused] }),
    at: new Date(START.getTime() - 60_000),
    trace: [
      { step: 'service_context', outcome: 'passed', detail: '' },
      { step: 'boot_log', outcome: 'failed', detail: 'log_pcr_mismatch' },
    ],
  })
}

let made = 0

/** Healthy devices under ids as keys give them, unless told otherwise. */
export async function makeDevices(
  { store }: Pick<SmallFleet, 'store'>,
  count: number,
  { ring = 0, labels = [], claims = {} }: DeviceChanges = {},
): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, () => {
    made += 1
    return deviceIdOf(digest('sha256', toUtf8(`console device ${made}`)))
  })
  for (const deviceId of ids) {
    const input = attestationOf({ deviceId, ring, claims: { ...HEALTHY, ...claims } })
    const attestation = { ...input.attestation, attestationPolicyHash: BUILT_IN_POLICY_HASH }
    await store.recordAttestation({ ...input, attestation })
    if (labels.length === 0) continue
    await store.setDeviceAttributes({ deviceId, changes: { labels }, by: 'test', now: START })
  }
  return ids
}
