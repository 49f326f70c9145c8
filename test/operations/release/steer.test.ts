import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { createRandomSource } from '../../../src/base/random.ts'
import { commandReleases } from '../../../src/compose/release.ts'
import { type ReleaseRequest, release } from '../../../src/operations/release/release.ts'
import {
  NO_SECOND,
  type SecondAdministrator,
  secondFor,
} from '../../../src/operations/release/second-administrator.ts'
import { steerRollout } from '../../../src/operations/release/steer.ts'
import { DEFAULT_PLAN, type Rollout } from '../../../src/rollout/rollout.ts'
import type { Store } from '../../../src/store/store.ts'
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
    if (state === 'running' || state === 'paused') await steering(store, rolloutId, 'revert')
  }
  rollout = await start()
})

const steering = (on: Store, rolloutId: string, verb: 'pause' | 'resume' | 'promote' | 'revert') =>
  steerRollout(releasesOn(on), {
    ...{ rolloutId, verb, by: 'admin', reason: 'because', second: NO_SECOND },
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
      { request: `revert ${rollout.rolloutId}`, body: {}, by },
    )
  const revert = (rolloutId: string, second: SecondAdministrator) =>
    steerRollout(releasesOn(store), {
      ...{ rolloutId, verb: 'revert', by: 'admin', reason: 'because', second },
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
      await store.activateDocument({
        ...{ kind: 'policy', hash: to, body: stored?.body ?? null, ...names },
      }),
    ).toBe('applied')
    // The document before it is another one now.
    expectRefusal(await revert(rollout.rolloutId, waitsFor('alice')), 'second_awaited')
    expect((await store.activeDocument('policy'))?.hash).not.toBe(from)
  })
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
    })
    expectRefusal(promoted, 'superseded')
    expect(asked).toEqual([rollout.revision])
    expect(await store.rollout(rollout.rolloutId)).toMatchObject({ stage: 1 })
  })

  test('is not asked for a rollout that there is not', async () => {
    const second = { isDemanded: true, ask: () => Promise.reject(new Error('asked')) }
    const promoted = await steerRollout(releasesOn(store), {
      ...{ rolloutId: 'rol_nothing', verb: 'promote', by: 'bob', reason: 'on', second },
    })
    expectRefusal(promoted, 'rollout_not_found')
  })
})

describe('a preview', () => {
  test('is made one at a time by those who release', async () => {
    await steering(store, rollout.rolloutId, 'revert')
    const begun = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    const slow: Store = {
      ...store,
      forUse: () => slow,
      async fleetPage(query) {
        begun.resolve()
        await goOn.promise
        return store.fleetPage(query)
      },
    }
    const releases = releasesOn(slow)
    const first = release(releases, requestOf({ way: { kind: 'at_once' } }))
    await begun.promise
    const other = await release(releases, requestOf({ way: { kind: 'at_once' } }))
    expectRefusal(other, 'preview_busy')
    goOn.resolve()
    expectOk(await first)
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
