import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { deviceIdOf } from '../../src/access/device-id.ts'
import type { Services } from '../../src/compose/services.ts'
import { EVENT_TYPES } from '../../src/signals/event-types.ts'
import { PUSH } from '../../src/signals/stream.ts'
import type { AttestationToRecord } from '../../src/store/devices/recording.ts'
import { policyWith } from '../operations/release/documents.ts'
import { createTlsIdentity } from '../support/azure/certificates.ts'
import { putInForce } from '../support/put-in-force.ts'
import { type Child, startChild } from './child.ts'
import type { BenchDatabase } from './database.ts'
import { deviceKeyOf, type Fleet, isDenied, openServices } from './fleet.ts'
import type { OpenLoadInput } from './open-load.ts'
import type { PushFloorInput } from './push-floor.ts'
import type { Arrival, ReceiverInput } from './receiver-server.ts'
import { median } from './rounds.ts'

/** How soon a receiver on the same machine is told, beside 200 questions a second, and how many in a burst. */
export type RevocationFigures = {
  /** Of all kinds together, each from the commit that revokes, or from the end of evidence. */
  readonly p50_ms: number
  readonly p99_ms: number
  readonly quarantine_p50_ms: number
  readonly failed_attestation_p50_ms: number
  readonly expiry_p50_ms: number
  readonly policy_p50_ms: number
  /** Of 10,000 to one stream, from its enabling to the arrival of the last. */
  readonly events_per_s: number
  readonly floor_events_per_s: number
  readonly ratio: number
}

export const REVOCATION_TARGETS = { p50_ms: 1000, p99_ms: 3000, ratio: 0.5 } as const

const LOAD = { perSecond: 200, seconds: 60 } as const
const BURST = 10_000
/** Of each kind. */
const REVOCATIONS = 50
const EVERY_MS = 400
/** A sweep passes every 15 seconds, and sees a minute ahead. */
const UNTIL_EXPIRY_MS = 35_000

type Kind = 'quarantine' | 'failed_attestation' | 'expiry' | 'policy'

export async function measureRevocation(
  database: BenchDatabase,
  fleet: Fleet,
  onProgress: (text: string) => void,
): Promise<RevocationFigures> {
  const { caPem, tls } = await createTlsIdentity(['localhost'])
  const folder = await mkdtemp(join(tmpdir(), 'countersign-bench-'))
  const file = join(folder, 'ca.pem')
  await writeFile(file, caPem)
  // Read when a process starts: the service that is started below trusts the receiver.
  process.env.NODE_EXTRA_CA_CERTS = file
  const environment = { ...fleet.environment, PUSH_PRIVATE_HOSTS: 'localhost' }
  const services = await openServices({ ...environment, LOG_LEVEL: 'error' })
  try {
    await services.makeEventKey()
    const latencies = await measureLatency({ fleet, services, environment, tls })
    onProgress(`revocations: ${JSON.stringify(latencies)}`)
    const burst = await measureBurst({ database, services, environment, tls, caPem })
    onProgress(`events: ${JSON.stringify(burst)}`)
    return { ...latencies, ...burst }
  } finally {
    delete process.env.NODE_EXTRA_CA_CERTS
    await services.store.close()
    await rm(folder, { recursive: true })
  }
}

type Measured = {
  readonly fleet: Fleet
  readonly services: Services
  readonly environment: Fleet['environment']
  readonly tls: ReceiverInput['tls']
}

async function measureLatency(input: Measured) {
  const { fleet, services, environment, tls } = input
  const revocable = Array.from({ length: 4 * REVOCATIONS + REVOCATIONS }, (_, index) => index)
    .filter((index) => !isDenied(index))
    .slice(0, 4 * REVOCATIONS)
  const indexOf = (kind: number, turn: number) => revocable[kind * REVOCATIONS + turn] ?? 0
  const revoked = new Map<string, { readonly kind: Kind; readonly at: number }>()
  for (let turn = 0; turn < REVOCATIONS; turn++) {
    const deviceId = idOf(indexOf(3, turn))
    const changes = { labels: ['bench'] }
    await services.store.setDeviceAttributes({ deviceId, changes, by: 'bench', now: new Date() })
  }
  return withReceiver({ tls, told: 'each' }, async (receiver, url) => {
    const stop = await makeStream(services, url)
    const server = startChild('evaluation-server.ts', { variant: 'path', environment })
    const { url: service } = (await server.next()) as { readonly url: string }
    const load = startChild('open-load.ts', {
      ...{ url: service, client: fleet.client, ...LOAD },
      deviceIds: Array.from({ length: 1000 }, (_, index) => idOf(5000 + index)),
    } satisfies OpenLoadInput)
    try {
      await delay(1000)
      for (let turn = 0; turn < REVOCATIONS; turn++) {
        const now = new Date()
        const expiring = fleet.recordingOf(indexOf(2, turn))
        const validUntil = new Date(now.getTime() + UNTIL_EXPIRY_MS)
        const { attestation } = expiring
        await services.store.recordAttestation({
          ...expiring,
          attestation: { ...attestation, attestedAt: now, validUntil },
        })
        revoked.set(expiring.deviceId, { kind: 'expiry', at: validUntil.getTime() })
        const quarantined = idOf(indexOf(0, turn))
        revoked.set(quarantined, { kind: 'quarantine', at: Date.now() })
        const reason = { by: 'bench', reason: 'bench' }
        await services.store.quarantineDevice({ deviceId: quarantined, ...reason, now })
        const failed = failing(fleet, indexOf(1, turn), now)
        revoked.set(failed.deviceId, { kind: 'failed_attestation', at: Date.now() })
        await services.store.recordAttestation(failed)
        await delay(EVERY_MS)
      }
      const strict = policyWith("!('bench' in device.labels)")
      const at = Date.now()
      for (let turn = 0; turn < REVOCATIONS; turn++) {
        revoked.set(idOf(indexOf(3, turn)), { kind: 'policy', at })
      }
      const names = { author: 'bench', reason: 'bench', now: new Date() }
      await putInForce(services.store, { ...strict, body: strict.body as never, ...names })
      return latenciesOf(await arrivalsOf(receiver, revoked.size), revoked)
    } finally {
      await load.stop()
      await server.stop()
      await stop()
    }
  })
}

/** The first arrival of each device that was revoked: what else becomes of devices comes before. */
async function arrivalsOf(receiver: Child, most: number): Promise<ReadonlyMap<string, number>> {
  const arrived = new Map<string, number>()
  const deadline = AbortSignal.timeout(60_000)
  while (arrived.size < most && !deadline.aborted) {
    const next = await Promise.race([receiver.next(), delay(30_000)])
    if (next === undefined) break
    const { deviceId, at } = next as Arrival
    if (!arrived.has(deviceId)) arrived.set(deviceId, at)
  }
  return arrived
}

function latenciesOf(
  arrived: ReadonlyMap<string, number>,
  revoked: ReadonlyMap<string, { readonly kind: Kind; readonly at: number }>,
) {
  const found = [...revoked].map(([deviceId, { kind, at }]) => {
    const there = arrived.get(deviceId)
    if (there === undefined) throw new Error(`nothing came of ${kind} of ${deviceId}`)
    return { kind, ms: there - at }
  })
  const sorted = found.map(({ ms }) => ms).sort((a, b) => a - b)
  const p50Of = (kind: Kind) => median(found.flatMap((one) => (one.kind === kind ? [one.ms] : [])))
  return {
    p50_ms: median(sorted),
    p99_ms: Math.round(sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN),
    quarantine_p50_ms: p50Of('quarantine'),
    failed_attestation_p50_ms: p50Of('failed_attestation'),
    expiry_p50_ms: p50Of('expiry'),
    policy_p50_ms: p50Of('policy'),
  }
}

async function measureBurst(
  input: Omit<Measured, 'fleet'> & { readonly caPem: string; readonly database: BenchDatabase },
) {
  const { services, environment, tls, caPem, database } = input
  const floor = await withReceiver({ tls, told: -1 }, async (_, url) => {
    const child = startChild('push-floor.ts', {
      ...{ url, caPem, tokens: BURST / 2, claims: CLAIMS },
    } satisfies PushFloorInput)
    const { perSecond } = (await child.next()) as { readonly perSecond: number }
    await child.stop()
    return perSecond
  })
  const perSecond = await withReceiver({ tls, told: BURST }, async (receiver, url) => {
    const stop = await makeStream(services, url)
    const [stream] = await services.store.listStreams()
    if (stream === undefined) throw new TypeError('there is no stream')
    const { streamId } = stream
    const status = { streamId, clientId: null, reason: null, by: 'bench' } as const
    await services.store.setStreamStatus({ ...status, status: 'paused', now: new Date() })
    await database.execute(`select announce_change('dev_bench' || i, gen_random_uuid(), now(), 'sweep',
      'admitted', 'admitted', 'trusted', 'stale', '[]', null) from generate_series(1, ${BURST}) as i`)
    await database.execute('vacuum analyze outbox, delivery')
    const server = startChild('evaluation-server.ts', { variant: 'path', environment })
    try {
      await server.next()
      await delay(2000)
      const began = performance.timeOrigin + performance.now()
      await services.store.setStreamStatus({ ...status, status: 'enabled', now: new Date() })
      const { at } = (await receiver.next()) as { readonly at: number }
      return (BURST * 1000) / (at - began)
    } finally {
      await server.stop()
      await stop()
    }
  })
  return {
    events_per_s: Math.round(perSecond),
    floor_events_per_s: Math.round(floor),
    ratio: Math.round((perSecond / floor) * 1000) / 1000,
  }
}

/** As the service makes them for such an event, to sign as many bytes. */
const CLAIMS = JSON.stringify({
  iss: 'https://countersign.example',
  jti: `str_${'a'.repeat(26)}.dev_bench10000.100000.device-compliance-change`,
  iat: 1_800_000_000,
  aud: 'https://localhost:40000',
  txn: '01a21f37-4d16-799d-830b-e9cff4e0aa64',
  sub_id: { format: 'iss_sub', iss: 'https://countersign.example', sub: 'dev_bench10000' },
  events: {
    [EVENT_TYPES['device-compliance-change']]: {
      ...{ previous_status: 'compliant', current_status: 'not-compliant' },
      ...{ event_timestamp: 1_800_000_000, initiating_entity: 'system' },
      reason_admin: { en: 'stale' },
      reason_user: { en: 'This device meets the requirements. Nothing needs to be done.' },
    },
  },
})

/** A stream to this URL alone; answers what ends it. */
async function makeStream({ store }: Services, url: string): Promise<() => Promise<void>> {
  const streamId = `str_bench${Date.now()}`
  const by = { by: 'bench', now: new Date() }
  await store.createStream({
    ...{ streamId, clientId: streamId, audience: new URL(url).origin, subjectForm: 'device' },
    delivery: { method: PUSH, url, sealedAuthorization: null },
    ...{ eventsRequested: [], eventsDelivered: ['device-compliance-change'], description: null },
    ...{ most: 1, ...by },
  })
  return async () => {
    await store.removeStream({ streamId, clientId: null, ...by })
  }
}

async function withReceiver<T>(
  input: ReceiverInput,
  use: (receiver: Child, url: string) => Promise<T>,
): Promise<T> {
  const receiver = startChild('receiver-server.ts', input)
  try {
    const { url } = (await receiver.next()) as { readonly url: string }
    return await use(receiver, url)
  } finally {
    await receiver.stop()
  }
}

function idOf(index: number): string {
  return deviceIdOf(deviceKeyOf(index))
}

/** The device attests again, without Secure Boot. */
function failing(fleet: Fleet, index: number, now: Date) {
  const recording = fleet.recordingOf(index)
  const { attestation } = recording
  const claims = { ...attestation.claims, secureBootEnabled: false }
  return {
    ...recording,
    attestation: { ...attestation, attestedAt: now, claims },
    verdict: 'untrusted',
    announcedVerdict: 'untrusted',
    reasons: [{ code: 'clause_failed', clause: 'secure_boot_on' }],
    ...{ failedClauses: ['secure_boot_on'], graces: [] },
  } satisfies AttestationToRecord
}
