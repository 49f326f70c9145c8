import { expect } from 'vitest'
import type { AttestationClaims } from '../../../src/appraisal/claims.ts'
import { runControl } from '../../../src/compose/jobs.ts'
import type { Services } from '../../../src/compose/services.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import {
  DEFAULT_PLAN,
  isOpen,
  type Rollout,
  type RolloutPlan,
} from '../../../src/rollout/rollout.ts'
import type { Json } from '../../../src/store/json.ts'
import type { Store } from '../../../src/store/store.ts'
import { BUILT_IN_POLICY_HASH } from '../../../src/verifier/built-in-policy.ts'
import { agent, HEALTHY } from '../../policy/healthy-device.ts'
import { issueCertificate } from '../../support/certificates.ts'
import { namedHash } from '../../support/document-hash.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { besideOf } from '../../support/recorded-fleet.ts'
import { createTestService, readOk, type TestService, testClock } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { bodyOf, type Document } from './documents.ts'

export const DEVICES = 2500
export const PROVIDER = 'https://contoso.eus.attest.azure.net'
export const PINNED = Buffer.alloc(32, 0x7a).toString('base64url')
export const START = new Date('2026-03-02T08:00:00Z')
/** Twice a minute: what a control interval is at its longest, with its spread. */
export const INTERVAL_SECONDS = 30
const VALIDITY_SECONDS = 28_800
const RENEWED_SECONDS = 14_400

/** Thousands of recorded devices, the real service over them, and a clock of their own. */
export type Fleet = {
  readonly service: TestService
  readonly store: Store
  readonly anchors: { readonly kept: Anchor; readonly other: Anchor }
  readonly policy: Document
  readonly referenceValues: Document
  /** Every device asks for something. Ids of those that are denied what they were allowed at first. */
  readonly askAll: () => Promise<ReadonlySet<string>>
  /** Time goes on by one interval, and each of `services` runs its control. */
  readonly passInterval: (services?: readonly Services[]) => Promise<void>
  readonly start: (document: Document, plan?: Partial<RolloutPlan>) => Promise<Rollout>
  readonly rollout: (rolloutId: string) => Promise<Rollout>
  /** Another process on the same database, at the same time. */
  readonly startProcess: (wrap?: (store: Store) => Store) => Promise<TestService>
  readonly close: () => Promise<void>
}

export type Anchor = {
  readonly name: string
  readonly certificate: string
  readonly fingerprint: string
}

/** The default rings, in minutes instead of hours. */
export const PLAN: RolloutPlan = { ...DEFAULT_PLAN, bakeSeconds: 45 }

/** A fleet of `size` devices, each of whom attested when it starts. */
export async function openFleet(size = DEVICES): Promise<Fleet> {
  const database = await openTestDatabase()
  const clock = testClock(START)
  const service = await createTestService({ database, clock })
  const { store } = service.services
  const anchors = { kept: await makeAnchor('kept'), other: await makeAnchor('other') }
  await recordDevices(database, anchors, size)
  const referenceValues = await activate(store, 'reference-values', {
    enclaves: [agent()],
    azure_policies: [{ issuer: PROVIDER, hash: PINNED }],
    trust_anchors: [anchors.kept, anchors.other].map(toEntry),
  })
  const policy = await activate(store, 'policy', BASELINE_POLICY)
  const ask = createAsking(service, database)
  const denied = await findDenied(size, ask)
  let renewedAt = clock.now().getTime()
  return {
    service,
    store,
    anchors,
    policy,
    referenceValues,
    async askAll() {
      const now = await ask()
      return new Set([...now].filter((id) => !denied.has(id)))
    },
    async passInterval(all = [service.services]) {
      clock.advance(INTERVAL_SECONDS)
      const now = clock.now().getTime()
      if (now - renewedAt >= RENEWED_SECONDS * 1000) {
        renewedAt = now
        await renew(database, clock.now())
      }
      await Promise.all(all.map((services) => runControl(services)))
    },
    async start(document, plan = {}) {
      const now = clock.now()
      const { kind, hash } = document
      const names = { author: 'test', reason: 'a change', now }
      await store.proposeDocument({ kind, hash, body: document.body as Json, ...names })
      const from = (await store.activeDocument(kind))?.hash ?? namedHash('')
      const beside = await besideOf(store, kind)
      const rolloutId = `rol_${hash.slice(0, 12)}`
      const input = {
        rolloutId,
        kind,
        from,
        to: hash,
        beside,
        plan: { ...PLAN, ...plan },
        note: '',
        ...names,
      }
      expect(await store.startRollout(input)).toBe('applied')
      return await readRollout(store, rolloutId)
    },
    rollout: (rolloutId) => readRollout(store, rolloutId),
    startProcess: (wrap) => createTestService({ database, clock, ...(wrap && { wrap }) }),
    close: database.close,
  }
}

const deniedAtFirst = new Map<number, ReadonlySet<string>>()

/** Whom the first rules deny: asked of the first fleet of a size, as all of a size are alike. */
async function findDenied(
  size: number,
  ask: () => Promise<ReadonlySet<string>>,
): Promise<ReadonlySet<string>> {
  const denied = deniedAtFirst.get(size) ?? (await ask())
  expect(denied.size).toBe(size / 50)
  deniedAtFirst.set(size, denied)
  return denied
}

/** An administrator who cannot wait, and promotes it through the whole audit. */
export async function pushToEnforce(fleet: Fleet, document: Document): Promise<Rollout> {
  let rollout = await fleet.start(document)
  const { store } = fleet
  while (rollout.pass === 'audit') {
    const isLast = rollout.stage + 1 === rollout.plan.stages.length
    const step = await store.stepRollout({
      rolloutId: rollout.rolloutId,
      revision: rollout.revision,
      action: 'promoted',
      state: 'running',
      pass: isLast ? 'enforce' : 'audit',
      stage: isLast ? 0 : rollout.stage + 1,
      note: 'it will be fine',
      health: null,
      by: 'test',
      now: fleet.service.clock.now(),
    })
    expect(step).toBe('applied')
    rollout = await fleet.rollout(rollout.rolloutId)
  }
  return rollout
}

/** How a rollout ended, and what it cost. */
export type Outcome = {
  readonly state: Rollout['state']
  readonly pass: Rollout['pass']
  readonly stage: number
  readonly note: string
  /** Different devices, over all of the time. */
  readonly wronglyDenied: number
  readonly seconds: number
}

/** Lets time pass until the rollout is over; before each round of control every device asks. */
export async function runToEnd(
  fleet: Fleet,
  rollout: Rollout,
  options: { readonly services?: readonly Services[]; readonly asks?: boolean } = {},
): Promise<Outcome> {
  const { services = [fleet.service.services], asks = true } = options
  const harmed = new Set<string>()
  const began = fleet.service.clock.now().getTime()
  let current = rollout
  for (let rounds = 0; isOpen(current.state); rounds++) {
    if (rounds > 200) throw new Error(`it never ends: ${JSON.stringify(current)}`)
    if (asks) for (const id of await fleet.askAll()) harmed.add(id)
    await fleet.passInterval(services)
    current = await fleet.rollout(rollout.rolloutId)
  }
  const seconds = (fleet.service.clock.now().getTime() - began) / 1000
  // Once it is over, nobody is denied any more.
  if (current.state !== 'done') expect((await fleet.askAll()).size).toBe(0)
  const { state, pass, stage, note } = current
  return { state, pass, stage, note, wronglyDenied: harmed.size, seconds }
}

async function readRollout(store: Store, rolloutId: string): Promise<Rollout> {
  const rollout = await store.rollout(rolloutId)
  if (rollout === null) throw new Error(`there is no rollout ${rolloutId}`)
  return rollout
}

async function activate(store: Store, kind: Document['kind'], json: object): Promise<Document> {
  const document = bodyOf(kind, json)
  const names = { author: 'test', reason: 'test', now: START }
  await putInForce(store, { ...document, body: document.body as Json, ...names })
  return document
}

export function toEntry({ name, certificate }: Anchor): { name: string; certificate: string } {
  return { name, certificate }
}

async function makeAnchor(name: string): Promise<Anchor> {
  const { pem, der } = await issueCertificate({
    subject: name,
    ca: true,
    notBefore: new Date('2025-01-01T00:00:00Z'),
    notAfter: new Date('2045-01-01T00:00:00Z'),
  })
  const digest = await crypto.subtle.digest('SHA-256', der as BufferSource)
  const certificate = pem.replace(/-----[^-]+-----|\s/g, '')
  return { name, certificate, fingerprint: Buffer.from(digest).toString('base64url') }
}

/** All devices ask in batches, as a gateway does after a restart. */
function createAsking(service: TestService, database: TestDatabase): () => Promise<Set<string>> {
  let ids: readonly string[] | undefined
  const subject = (id: string) => ({ subject: { type: 'device', id } })
  return async () => {
    ids ??= (await database.query('select device_id from device order by 1')).map((row) =>
      String(row.device_id),
    )
    const headers = await service.as('access.evaluate')
    const denied = new Set<string>()
    for (let first = 0; first < ids.length; first += 100) {
      const batch = ids.slice(first, first + 100)
      const body = {
        action: { name: 'signin' },
        resource: { type: 'application', id: 'payroll' },
        context: { network: 'corporate' },
        evaluations: batch.map(subject),
      }
      const answer = await readOk(await service.post('/access/v1/evaluations', body, { headers }))
      for (const [index, { decision }] of answer.evaluations.entries()) {
        if (!decision) denied.add(batch[index] ?? '')
      }
    }
    return denied
  }
}

/** Devices attest again well before their evidence ends. */
async function renew(database: TestDatabase, now: Date): Promise<void> {
  await database.query(`update device set attested_at = '${now.toISOString()}',
    valid_until = timestamptz '${now.toISOString()}' + interval '${VALIDITY_SECONDS} seconds'`)
}

/**
 * Half attest with a provider of Azure and half with the built-in verifier, under either of two
 * roots; a third has each of three versions of the agent; every twentieth is in the field. One in
 * fifty has Secure Boot off and is rightly denied.
 */
async function recordDevices(
  database: TestDatabase,
  anchors: Fleet['anchors'],
  size: number,
): Promise<void> {
  const claims: AttestationClaims = { ...HEALTHY, aikValidated: true }
  const at = START.toISOString()
  await database.query(`
    insert into device (device_id, key_kind, device_key_hash, enrolment, labels, ring,
      attestation_id, attested_at, valid_until, issuer, policy_hash, confirmation_key, claims,
      verdict, vouched, reasons, first_failed_at, announced_verdict, created_at, updated_at)
    select 'dev_' || md5(i::text), 'aik', md5(i::text), 'admitted',
      case when i % 20 = 0 then array['field'] else '{}' end,
      ('x' || substr(md5('ring' || i), 1, 6))::bit(24)::integer % 100,
      'att_' || i, '${at}', timestamptz '${at}' + interval '${VALIDITY_SECONDS} seconds',
      case when i % 2 = 0 then '${PROVIDER}' else 'http://localhost:8080' end,
      case when i % 2 = 0 then '${PINNED}' else '${BUILT_IN_POLICY_HASH}' end,
      'key', '${JSON.stringify(claims)}'::jsonb
        || jsonb_build_object('enclaveSvn', 5 + i % 3, 'secureBootEnabled', i % 50 <> 0)
        || case when i % 2 = 0 then '{}'::jsonb else jsonb_build_object('aikTrustAnchor',
             case when i % 4 = 1 then '${anchors.kept.fingerprint}'
                  else '${anchors.other.fingerprint}' end) end,
      case when i % 50 = 0 then 'untrusted' else 'trusted' end, true, '[]',
      case when i % 50 = 0 then '{"secure_boot_on": "2026-02-01T00:00:00.000Z"}'::jsonb
           else '{}'::jsonb end,
      case when i % 50 = 0 then 'untrusted' else 'trusted' end,
      timestamptz '${at}' - interval '30 days', '${at}'
    from generate_series(1, ${size}) as i`)
  await database.query('analyze device')
}
