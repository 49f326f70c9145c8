import { expect } from 'vitest'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { DEFAULT_PLAN, type Rollout, type RolloutPlan } from '../../../src/rollout/rollout.ts'
import type { Json } from '../../../src/store/json.ts'
import type { Store } from '../../../src/store/store.ts'
import { BUILT_IN_POLICY_HASH } from '../../../src/verifier/built-in-policy.ts'
import { agent, HEALTHY } from '../../policy/healthy-device.ts'
import { attestationOf, newDeviceId, newId } from '../../store/fixtures.ts'
import { namedHash } from '../../support/document-hash.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { besideOf } from '../../support/recorded-fleet.ts'
import { createTestService, readOk, type TestService, testClock } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { bodyOf, type Document } from './documents.ts'

/** After every attestation of the fixtures, and before its end. */
export const START = new Date('2026-03-01T12:10:00Z')

/** Some healthy devices behind the real service. */
export type SmallFleet = {
  readonly service: TestService
  readonly store: Store
  readonly policy: Document
  /** Healthy ones of a ring, unless told otherwise. */
  readonly makeDevices: (count: number, device?: DeviceChanges) => Promise<readonly string[]>
  readonly ask: (deviceId: string, context?: object) => Promise<Answer>
  /** Asked for by everybody, one after the other. */
  readonly askAll: (ids: readonly string[], context?: object) => Promise<readonly boolean[]>
  readonly start: (document: Document, changes?: Partial<Rollout>) => Promise<Rollout>
  readonly rollout: (rolloutId: string) => Promise<Rollout>
  readonly close: () => Promise<void>
}

export type DeviceChanges = {
  readonly ring?: number
  readonly labels?: readonly string[]
  readonly claims?: object
}

export type Answer = {
  readonly decision: boolean
  readonly context: { readonly policy: string; readonly reasons: readonly { clause: string }[] }
}

export const PLAN: RolloutPlan = { ...DEFAULT_PLAN, budget: { devices: 3, share: 1 } }

export async function openSmallFleet(
  options: {
    readonly wrap?: (store: Store) => Store
    readonly open?: () => Promise<TestDatabase>
    readonly env?: Readonly<Record<string, string>>
  } = {},
): Promise<SmallFleet> {
  const { open = openTestDatabase, ...rest } = options
  const database = await open()
  const { store } = database
  const names = { author: 'test', reason: 'test' }
  const documents = [
    bodyOf('reference-values', { enclaves: [agent()] }),
    bodyOf('policy', BASELINE_POLICY),
  ] as const
  for (const { body, ...document } of documents) {
    await putInForce(store, { ...document, body: body as Json, ...names, now: START })
  }
  const clock = testClock(START)
  const service = await createTestService({ database, clock, ...rest })
  const pep = await service.as('access.evaluate')
  const ask = async (id: string, context: object = {}): Promise<Answer> => {
    const subject = { type: 'device', id }
    const question = { subject, resource: { type: 'application', id: 'payroll' }, context }
    const body = { ...question, action: { name: 'signin' } }
    return readOk(await service.post('/access/v1/evaluation', body, { headers: pep }))
  }
  return {
    service,
    store,
    policy: documents[1],
    makeDevices: (count, device) => makeDevices(store, count, device),
    ask,
    async askAll(ids, context) {
      const answers: boolean[] = []
      for (const id of ids) answers.push((await ask(id, context)).decision)
      return answers
    },
    start: (document, changes) => startRollout(store, document, { ...changes, now: clock.now() }),
    rollout: (rolloutId) => readRollout(store, rolloutId),
    close: database.close,
  }
}

async function makeDevices(
  store: Store,
  count: number,
  { ring = 0, labels = [], claims = {} }: DeviceChanges = {},
): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, newDeviceId)
  for (const deviceId of ids) {
    const input = attestationOf({ deviceId, ring, claims: { ...HEALTHY, ...claims } })
    const attestation = { ...input.attestation, attestationPolicyHash: BUILT_IN_POLICY_HASH }
    await store.recordAttestation({ ...input, attestation })
    if (labels.length === 0) continue
    await store.setDeviceAttributes({ deviceId, changes: { labels }, by: 'test', now: START })
  }
  return ids
}

/** From what is active; steps to the pass and stage that are wanted. */
async function startRollout(
  store: Store,
  { kind, hash, body }: Document,
  changes: Partial<Rollout> & { readonly now: Date },
): Promise<Rollout> {
  const { now, plan = PLAN, state = 'running', pass = 'audit', stage = 0 } = changes
  const names = { author: 'test', reason: 'a change', now }
  await store.proposeDocument({ kind, hash, body: body as Json, ...names })
  const from = (await store.activeDocument(kind))?.hash ?? namedHash('')
  const beside = await besideOf(store, kind)
  const rolloutId = newId('rol_')
  const input = { rolloutId, kind, from, to: hash, beside, plan, note: '', ...names }
  expect(await store.startRollout(input)).toBe('applied')
  if (state !== 'running' || pass !== 'audit' || stage !== 0) {
    const to = { revision: 1, action: 'promoted', state, pass, stage } as const
    const step = { rolloutId, ...to, note: '', health: null, by: 'test', now }
    expect(await store.stepRollout(step)).toBe('applied')
  }
  return readRollout(store, rolloutId)
}

async function readRollout(store: Store, rolloutId: string): Promise<Rollout> {
  const rollout = await store.rollout(rolloutId)
  if (rollout === null) throw new Error(`there is no rollout ${rolloutId}`)
  return rollout
}
