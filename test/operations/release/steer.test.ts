import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { createRandomSource } from '../../../src/base/random.ts'
import { commandReleases } from '../../../src/compose/release.ts'
import { findLinted } from '../../../src/operations/release/check-document.ts'
import { ANY_DENIALS } from '../../../src/operations/release/gates.ts'
import { type ReleaseRequest, release } from '../../../src/operations/release/release.ts'
import {
  NO_SECOND,
  type SecondAdministrator,
  secondFor,
} from '../../../src/operations/release/second-administrator.ts'
import { steerRollout } from '../../../src/operations/release/steer.ts'
import { DEFAULT_PLAN, type Rollout } from '../../../src/rollout/rollout.ts'
import type { Json } from '../../../src/store/json.ts'
import type { Store } from '../../../src/store/store.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { enforceFleetDocuments, recordFleet } from '../../support/recorded-fleet.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { START } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import { bodyOf, lintedOf, policyWith } from './documents.ts'

const { store, close } = await openTestDatabase()
await recordFleet(store, { devices: 10, now: START })
await enforceFleetDocuments(store, START)
afterAll(close)

const releasesOn = (on: Store) => {
  const random = createRandomSource()
  return commandReleases({ store: on, clock: () => START, random, requiresHardware: false })
    .releases
}

const NO_LOSSES = { acceptedDenials: 0, maxAgeMs: 60_000 }

let documents = 0
function requestOf(changes: Partial<ReleaseRequest> = {}): ReleaseRequest {
  const { body } = policyWith('attestation.enclaveSvn >= 5')
  const document = bodyOf('policy', { ...body, description: `number ${++documents}` })
  return {
    document: lintedOf(document, START),
    way: { kind: 'rollout', plan: {} },
    by: 'test',
    reason: 'a change',
    acceptedDenials: 0,
    maxAgeMs: 60_000,
    second: NO_SECOND,
    ...changes,
  }
}

async function start(changes: Partial<ReleaseRequest> = {}): Promise<Rollout> {
  const { rollout } = expectOk(await release(releasesOn(store), requestOf(changes)))
  if (rollout === undefined) throw new Error('it was released at once')
  return rollout
}

let rollout: Rollout
beforeEach(async () => {
  for (const { rolloutId, state } of await store.listRollouts(1000)) {
    if (state === 'running' || state === 'paused') await endAtOnce(rolloutId)
  }
  await enforceFleetDocuments(store, START)
  rollout = await start()
})

const endAtOnce = (rolloutId: string) =>
  steerRollout(releasesOn(store), {
    ...{ rolloutId, verb: 'revert', by: 'admin', reason: 'because', second: NO_SECOND },
    ...{ ...NO_LOSSES, acceptedDenials: ANY_DENIALS },
  })

const steering = (on: Store, rolloutId: string, verb: 'pause' | 'resume' | 'promote' | 'revert') =>
  steerRollout(releasesOn(on), {
    ...{ rolloutId, verb, by: 'admin', reason: 'because', second: NO_SECOND, ...NO_LOSSES },
  })

/** Between what somebody reads and what they write, another process takes a step. */
function withStepBetween(step: () => Promise<unknown>): Store {
  let isTaken = false
  return {
    ...store,
    async rollout(rolloutId) {
      const read = await store.rollout(rolloutId)
      if (!isTaken) {
        isTaken = true
        await step()
      }
      return read
    },
  }
}

const enterNext = () =>
  store.stepRollout({
    rolloutId: rollout.rolloutId,
    revision: rollout.revision,
    action: 'entered',
    state: 'running',
    pass: 'audit',
    stage: 1,
    note: '',
    health: null,
    by: 'service',
    now: START,
  })

describe('while the service takes a step', () => {
  test('whoever stops a rollout wins', async () => {
    const paused = await steering(withStepBetween(enterNext), rollout.rolloutId, 'pause')
    expect(expectOk(paused)).toMatchObject({
      changed: true,
      rollout: { state: 'paused', stage: 1 },
    })
    const reverted = await steering(
      withStepBetween(() => steering(store, rollout.rolloutId, 'resume')),
      rollout.rolloutId,
      'revert',
    )
    expect(expectOk(reverted).rollout.state).toBe('reverted')
  })

  test('a promotion does not go one stage further than was meant', async () => {
    const promoted = await steering(withStepBetween(enterNext), rollout.rolloutId, 'promote')
    expectRefusal(promoted, 'superseded')
    expect(await store.rollout(rollout.rolloutId)).toMatchObject({ stage: 1 })
  })

  test('one that becomes done meanwhile is brought back all the same', async () => {
    const { rolloutId, revision, from } = rollout
    const complete = () =>
      store.stepRollout({
        ...{ rolloutId, revision, action: 'done', state: 'done', pass: 'enforce', stage: 4 },
        ...{ note: '', health: null, by: 'service', now: START },
      })
    const reverted = await steering(withStepBetween(complete), rolloutId, 'revert')
    expect(expectOk(reverted)).toMatchObject({ changed: true, rollout: { state: 'done' } })
    expect((await store.activeDocument('policy'))?.hash).toBe(from)
  })
})

describe('what is done', () => {
  /** Finishes the open rollout as the service does. */
  const complete = ({ rolloutId, revision }: Rollout) =>
    store.stepRollout({
      ...{ rolloutId, revision, action: 'done', state: 'done', pass: 'enforce', stage: 4 },
      ...{ note: '', health: null, by: 'service', now: START },
    })
  const waitsFor = (by: string): SecondAdministrator =>
    secondFor(
      { store, isDemanded: true, clock: () => START },
      { request: `revert ${rollout.rolloutId}`, body: {}, by, maySecond: true },
    )
  const revert = (rolloutId: string, second: SecondAdministrator) =>
    steerRollout(releasesOn(store), {
      ...{ rolloutId, verb: 'revert', by: 'admin', reason: 'because', second, ...NO_LOSSES },
    })

  test('goes back one step by one administrator, and no further step after step', async () => {
    const older = rollout
    expect(await complete(older)).toBe('applied')
    const newer = await start()
    expect(await complete(newer)).toBe('applied')
    expect(expectOk(await revert(newer.rolloutId, waitsFor('alice')))).toMatchObject({
      changed: true,
    })
    expectRefusal(await revert(older.rolloutId, waitsFor('alice')), 'second_awaited')
    expect((await store.activeDocument('policy'))?.hash).toBe(older.to)
    expectOk(await revert(older.rolloutId, waitsFor('bob')))
    expect((await store.activeDocument('policy'))?.hash).toBe(older.from)
  })

  test('and released again later is not gone back from by a rollout of before', async () => {
    expect(await complete(rollout)).toBe('applied')
    const { from, to } = rollout
    const other = await start()
    expect(await complete(other)).toBe('applied')
    const stored = await store.document('policy', to)
    const names = { author: 'test', reason: 'again', now: START }
    expect(
      await putInForce(store, {
        ...{ kind: 'policy', hash: to, body: stored?.body ?? null, ...names },
      }),
    ).toBe('applied')
    // The document before it is another one now.
    expectRefusal(await revert(rollout.rolloutId, waitsFor('alice')), 'second_awaited')
    expect((await store.activeDocument('policy'))?.hash).not.toBe(from)
  })
})

describe('an end', () => {
  const STRICT = 'attestation.enclaveSvn > 1000'
  const LOSS = { acceptedDenials: 10, maxAgeMs: 60_000 }
  const end = (on: Store, changes: Partial<Parameters<typeof steerRollout>[1]> = {}) =>
    steerRollout(releasesOn(on), {
      ...{ rolloutId: rollout.rolloutId, verb: 'revert', by: 'admin', reason: 'because' },
      ...{ ...NO_LOSSES, second: NO_SECOND, ...changes },
    })
  /** Fails where a device is read: for what needs no count. */
  const unread: Store = {
    ...store,
    forUse: () => unread,
    fleetPage: () => Promise.reject(new Error('the fleet was read')),
  }

  /** What decides for every device, and in its place for those of the stage. */
  async function enforceOver(require: string, change: object = {}): Promise<void> {
    await steering(store, rollout.rolloutId, 'revert')
    const { body } = policyWith(require, change)
    const document = bodyOf('policy', { ...body, description: `number ${++documents}` })
    const before = { document: lintedOf(document, START), way: { kind: 'at_once' } } as const
    expectOk(await release(releasesOn(store), requestOf({ ...before, acceptedDenials: 10 })))
    rollout = await start()
    await enterEnforce(4)
  }

  async function enterEnforce(stage: number): Promise<void> {
    const { rolloutId, revision } = rollout
    const to = { action: 'promoted', state: 'running', pass: 'enforce', stage } as const
    const step = { rolloutId, revision, ...to, note: '', health: null, by: 'test', now: START }
    expect(await store.stepRollout(step)).toBe('applied')
    rollout = (await store.rollout(rolloutId)) ?? rollout
  }

  test('in the audit pass takes access from nobody, and reads no device', async () => {
    expect(expectOk(await end(unread))).toMatchObject({
      ...{ changed: true, newlyDenied: 0, rollout: { state: 'reverted' } },
    })
  })

  test('in the enforce pass that denies nobody is counted, and takes one administrator', async () => {
    await enterEnforce(4)
    await expect(end(unread)).rejects.toThrow('the fleet was read')
    const second = waitsFor()
    expect(expectOk(await end(store, { second }))).toMatchObject({
      ...{ changed: true, newlyDenied: 0, rollout: { state: 'reverted' } },
    })
  })

  test('of what alone allows devices asks for their number, and goes no further meanwhile', async () => {
    await enforceOver(STRICT)
    const refused = expectRefusal(await end(store), 'denials_not_accepted')
    expect(refused).toMatchObject({
      ...{ newlyDenied: 10, accepted: 0 },
      back: { kind: 'policy', hash: rollout.from, paused: rollout.rolloutId },
    })
    expect(await store.rollout(rollout.rolloutId)).toMatchObject({ state: 'paused', stage: 4 })
    expectRefusal(await end(store, { ...LOSS, acceptedDenials: 9 }), 'denials_not_accepted')
    expect(expectOk(await end(store, LOSS))).toMatchObject({
      ...{ changed: true, newlyDenied: 10, rollout: { state: 'reverted' } },
    })
  })

  test('takes from nobody what only a date takes: that counts as later', async () => {
    const date = new Date(START.getTime() + 3 * 86_400_000).toISOString()
    await enforceOver(STRICT, { enforce_from: date })
    expect(expectRefusal(await end(store), 'denials_not_accepted')).toMatchObject({
      newlyDenied: 10,
    })
    expect(await store.preview('policy', rollout.from)).toMatchObject({
      policyHash: rollout.to,
      summary: {
        ends_rollout: { rollout_id: rollout.rolloutId, stage: 4 },
        moments: { left_out_of_candidate: 0, devices_cut: 0 },
        newly_denied: { devices: 0 },
        denied_later: { by_date: [{ at: date, devices: 10 }] },
      },
    })
  })

  test('counts the devices of its stage, and no preview of another stage counts for it', async () => {
    await enforceOver(STRICT)
    const rings = (await readRings()).filter((ring) => ring < 50).length
    expect(rings).toBeGreaterThan(0)
    expect(rings).toBeLessThan(10)
    const { rolloutId, from } = rollout
    const recorded = await store.preview('policy', from)
    await enterEnforce(3)
    expect(expectRefusal(await end(store), 'denials_not_accepted')).toMatchObject({
      newlyDenied: rings,
    })
    await steering(store, rolloutId, 'resume')
    rollout = (await store.rollout(rolloutId)) ?? rollout
    await enterEnforce(4)
    const small = { ...releasesOn(store), replaysAtMost: 2 }
    const command = { rolloutId, verb: 'revert', by: 'admin', reason: 'x', ...LOSS } as const
    const missing = await steerRollout(small, { ...command, second: NO_SECOND })
    expect(expectRefusal(missing, 'preview_missing')).toMatchObject({
      back: { hash: from, paused: rolloutId },
    })
    expect(recorded).not.toBeNull()
  })

  test('that cannot wait counts nobody, and takes two where two are required', async () => {
    await enforceOver(STRICT)
    const any = { acceptedDenials: ANY_DENIALS }
    const seen = rollout.revision
    const first = await end(unread, { ...any, revision: seen, second: waitsFor('alice') })
    expectRefusal(first, 'second_awaited')
    // It is paused by now, and the other one asks for the same all the same.
    const other = await end(unread, { ...any, revision: seen, second: waitsFor('bob') })
    expect(expectOk(other)).toMatchObject({ newlyDenied: null, rollout: { state: 'reverted' } })
  })

  test('keeps a halt that came first', async () => {
    await enforceOver(STRICT)
    const halt = async () => {
      const { rolloutId, pass, stage } = rollout
      const { revision = 0 } = (await store.rollout(rolloutId)) ?? {}
      const step = { rolloutId, revision, pass, stage, action: 'halted', state: 'halted' } as const
      return store.stepRollout({ ...step, note: '', health: null, by: 'service', now: START })
    }
    const late: Store = {
      ...store,
      forUse: () => late,
      async fleetPage(query) {
        await halt()
        return store.fleetPage(query)
      },
    }
    expect(expectOk(await end(late, LOSS))).toMatchObject({
      ...{ changed: false, rollout: { state: 'halted' } },
    })
  })

  test('comes before another document comes into force', async () => {
    await enforceOver(STRICT)
    const next = requestOf({ way: { kind: 'at_once' }, acceptedDenials: 10 })
    expectRefusal(await release(releasesOn(store), next), 'rollout_open')
    const { kind, from, beside } = rollout
    const body = { ...policyWith('attestation.enclaveSvn >= 3').body }
    const document = bodyOf('policy', { ...body, description: `number ${++documents}` })
    const names = {
      author: 'test',
      reason: 'x',
      now: START,
      expected: from,
      beside: beside ?? from,
    }
    const input = { kind, hash: document.hash, body: document.body as Json, ...names }
    expect(await putInForce(store, input)).toBe('superseded')
  })

  test('of one that is done is counted too', async () => {
    await enforceOver(STRICT)
    const { rolloutId, revision, from, to } = rollout
    expect(
      await store.stepRollout({
        ...{ rolloutId, revision, action: 'done', state: 'done', pass: 'enforce', stage: 4 },
        ...{ note: '', health: null, by: 'service', now: START },
      }),
    ).toBe('applied')
    expect(expectRefusal(await end(store), 'denials_not_accepted')).toMatchObject({
      ...{ newlyDenied: 10, back: { hash: from, paused: undefined } },
    })
    expect((await store.activeDocument('policy'))?.hash).toBe(to)
    expect(expectOk(await end(store, LOSS))).toMatchObject({ changed: true, newlyDenied: 10 })
    expect((await store.activeDocument('policy'))?.hash).toBe(from)
  })

  const readRings = async () =>
    (await store.fleetPage({ after: '', limit: 100, leaveOut: [] })).map(({ ring }) => ring)
  const waitsFor = (by = 'alice') =>
    secondFor(
      { store, isDemanded: true, clock: () => START },
      { request: `end ${rollout.rolloutId}`, body: {}, by, maySecond: true },
    )
})

describe('the consent of two', () => {
  test('is for the stage that both saw, and is not taken to another', async () => {
    const asked: unknown[] = []
    const second: SecondAdministrator = {
      isDemanded: true,
      async ask(seen) {
        asked.push(seen)
        await enterNext()
        return undefined
      },
    }
    const promoted = await steerRollout(releasesOn(store), {
      ...{ rolloutId: rollout.rolloutId, verb: 'promote', by: 'bob', reason: 'on', second },
      ...NO_LOSSES,
    })
    expectRefusal(promoted, 'superseded')
    expect(asked).toEqual([rollout.revision])
    expect(await store.rollout(rollout.rolloutId)).toMatchObject({ stage: 1 })
  })

  test('is not asked for a rollout that there is not', async () => {
    const second = { isDemanded: true, ask: () => Promise.reject(new Error('asked')) }
    const promoted = await steerRollout(releasesOn(store), {
      ...{ rolloutId: 'rol_nothing', verb: 'promote', by: 'bob', reason: 'on', second },
      ...NO_LOSSES,
    })
    expectRefusal(promoted, 'rollout_not_found')
  })
})

describe('a preview', () => {
  test('is made one at a time by those who release', async () => {
    await steering(store, rollout.rolloutId, 'revert')
    const begun = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    let hasBegun = false
    const slow: Store = {
      ...store,
      forUse: () => slow,
      async fleetPage(query) {
        const isFirst = !hasBegun
        hasBegun = true
        begun.resolve()
        if (isFirst) await goOn.promise
        return store.fleetPage(query)
      },
    }
    const releases = releasesOn(slow)
    const first = release(releases, requestOf({ way: { kind: 'at_once' } }))
    await begun.promise
    const other = await release(releases, requestOf({ way: { kind: 'at_once' } }))
    expectRefusal(other, 'preview_busy')
    // The way back waits for nobody's: the version before is counted meanwhile.
    const { previous } = (await store.activeDocument('policy')) ?? {}
    const version = { kind: 'policy', hash: previous ?? '', now: START } as const
    const linted = expectOk(await findLinted(store, version))
    const wayBack = { document: linted, way: { kind: 'at_once' }, acceptedDenials: 10 } as const
    const back = release(releases, requestOf(wayBack))
    expectOk(await back)
    goOn.resolve()
    expectRefusal(await first, 'superseded')
  })
})

describe('a release', () => {
  test('has a budget of what was accepted, and never less than the default', async () => {
    expect(rollout.plan).toEqual(DEFAULT_PLAN)
    await steering(store, rollout.rolloutId, 'revert')
    const { plan } = await start({ acceptedDenials: 4 })
    expect(plan.budget.devices).toBe(10)
    expect(plan.budget.share).toBeCloseTo(0.6)
  })

  test('of two that begin at once only one does', async () => {
    await steering(store, rollout.rolloutId, 'revert')
    const requests = [requestOf(), requestOf(), requestOf()]
    const answers = await Promise.all(requests.map((one) => release(releasesOn(store), one)))
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
    for (const answer of answers) if (!answer.ok) expectRefusal(answer, 'rollout_open')
  })

  test('at once ends what is open', async () => {
    const request = requestOf({ way: { kind: 'at_once' } })
    expectOk(await release(releasesOn(store), request))
    expect(await store.rollout(rollout.rolloutId)).toMatchObject({ state: 'reverted' })
    expectRefusal(await release(releasesOn(store), request), 'document_in_force')
  })
})
