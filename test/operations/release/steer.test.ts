import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { createRandomSource } from '../../../src/base/random.ts'
import { previewDocument } from '../../../src/operations/release/preview.ts'
import { releaseAtOnce, startRelease } from '../../../src/operations/release/release.ts'
import { steer } from '../../../src/operations/release/steer.ts'
import { DEFAULT_PLAN, type Rollout } from '../../../src/rollout/rollout.ts'
import type { Store } from '../../../src/store/store.ts'
import { enforceFleetDocuments, recordFleet } from '../../support/recorded-fleet.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { START } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import { bodyOf, policyWith } from './documents.ts'

const { store, close } = await openTestDatabase()
await recordFleet(store, { devices: 10, now: START })
await enforceFleetDocuments(store, START)
afterAll(close)

let documents = 0
async function previewed() {
  const { body } = policyWith('attestation.enclaveSvn >= 5')
  const changed = { ...body, description: `number ${++documents}` }
  const document = bodyOf('policy', changed)
  const clock = () => START
  const input = { store, kind: 'policy', candidate: changed, by: 'test', clock } as const
  expectOk(await previewDocument(input))
  return {
    kind: 'policy' as const,
    checked: { hash: document.hash, document: document.body as never },
    author: 'test',
    reason: 'a change',
    acceptedDenials: 0,
    maxAgeMs: 60_000,
    now: START,
    plan: {},
    random: createRandomSource(),
  }
}

let rollout: Rollout
beforeEach(async () => {
  for (const { rolloutId, state } of await store.listRollouts(10)) {
    if (state === 'running' || state === 'paused') await steering(store, rolloutId, 'revert')
  }
  rollout = expectOk(await startRelease(store, await previewed())).rollout
})

const steering = (on: Store, rolloutId: string, verb: 'pause' | 'resume' | 'promote' | 'revert') =>
  steer(on, { rolloutId, verb, by: 'admin', reason: 'because', now: START })

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

describe('a release', () => {
  test('has a budget of what was accepted, and never less than the default', async () => {
    expect(rollout.plan).toEqual(DEFAULT_PLAN)
    await steering(store, rollout.rolloutId, 'revert')
    const input = { ...(await previewed()), acceptedDenials: 4 }
    const { plan } = expectOk(await startRelease(store, input)).rollout
    expect(plan.budget.devices).toBe(10)
    expect(plan.budget.share).toBeCloseTo(0.6)
  })

  test('of two that begin at once only one does', async () => {
    await steering(store, rollout.rolloutId, 'revert')
    const inputs = [await previewed(), await previewed(), await previewed()]
    const answers = await Promise.all(inputs.map((input) => startRelease(store, input)))
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
    for (const answer of answers) if (!answer.ok) expectRefusal(answer, 'rollout_open')
  })

  test('at once ends what is open', async () => {
    const input = await previewed()
    expectOk(await releaseAtOnce(store, input))
    expect(await store.rollout(rollout.rolloutId)).toMatchObject({ state: 'reverted' })
    expectRefusal(await releaseAtOnce(store, input), 'document_in_force')
  })
})
