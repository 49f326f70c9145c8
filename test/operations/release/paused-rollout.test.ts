import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { runControl } from '../../../src/compose/jobs.ts'
import { commandReleases } from '../../../src/compose/release.ts'
import { rollBack } from '../../../src/operations/release/roll-back.ts'
import type { SecondAdministrator } from '../../../src/operations/release/second-administrator.ts'
import { steerRollout } from '../../../src/operations/release/steer.ts'
import { newId } from '../../store/fixtures.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { policyWith } from './documents.ts'
import { openSmallFleet, PLAN, START } from './small-fleet.ts'

/**
 * Who asks, what is answered and what the database holds is all real; that a budget is of a stage, however
 * often it is paused, is what `docs/policy.md` promises, and has no outside witness.
 */
const fleet = await openSmallFleet()
const { service, store, askAll } = fleet
const devices = await fleet.makeDevices(9)
afterAll(() => fleet.close())

const { clock, random, shadow } = service.services
const { releases } = commandReleases({ store, clock, random, requiresHardware: false })
const SECOND_AWAITED: SecondAdministrator = {
  isDemanded: true,
  ask: () => Promise.resolve({ reason: 'second_awaited', expiresAt: START }),
}
const ASKED = { by: 'admin', reason: 'x', acceptedDenials: 0, maxAgeMs: 60_000 } as const

/** Wants something of the question that nobody says. */
const start = (changes: Parameters<typeof fleet.start>[1] = {}) =>
  fleet.start(policyWith(`context.network == "${newId('net')}"`), { pass: 'enforce', ...changes })
const stateOf = async (rolloutId: string) => (await fleet.rollout(rolloutId)).state
/** In a fleet that no request replays: the rollout is paused by it. */
const refuseRollback = async () => {
  const large = { ...releases, replaysAtMost: 1 }
  const returned = await rollBack(large, { ...ASKED, kind: 'policy', second: SECOND_AWAITED })
  return expectRefusal(returned, 'preview_missing')
}
const steer = async (rolloutId: string, verb: 'pause' | 'resume') =>
  expectOk(await steerRollout(releases, { ...ASKED, rolloutId, verb, second: SECOND_AWAITED }))

async function tellWhatWasSeen() {
  service.clock.advance(6)
  return shadow.report(service.clock.now())
}

async function seenOf(rolloutId: string) {
  const { revision } = await fleet.rollout(rolloutId)
  const seen = await store.rolloutObservations(rolloutId, revision)
  return seen.map(({ newlyDenied }) => newlyDenied)
}

afterEach(async () => {
  for (const { rolloutId, revision, pass, stage } of await store.listRollouts(20)) {
    const end = { rolloutId, revision, pass, stage, action: 'reverted', state: 'reverted' } as const
    await store.stepRollout({ ...end, note: '', health: null, by: 'test', now: clock() })
  }
})

describe('the budget of a stage, whose rollout is paused by a refused way back,', () => {
  test('is that of the whole stage: the next device too many halts it', async () => {
    const { rolloutId } = await start()
    expect(await askAll(devices.slice(0, 3))).toEqual([false, false, false])
    await tellWhatWasSeen()
    await refuseRollback()
    expect(await stateOf(rolloutId)).toBe('paused')
    expect(await seenOf(rolloutId)).toEqual([3])
    await askAll(devices.slice(3, 4))
    expect(await stateOf(rolloutId)).toBe('halted')
    expect(await askAll(devices)).not.toContain(false)
    expect(await seenOf(rolloutId)).toEqual([4])
  })

  test('is not given anew when the rollout goes on', async () => {
    const { rolloutId } = await start()
    await askAll(devices.slice(0, 3))
    await refuseRollback()
    await steer(rolloutId, 'resume')
    await steer(rolloutId, 'pause')
    await steer(rolloutId, 'resume')
    expect(await stateOf(rolloutId)).toBe('running')
    await askAll(devices.slice(3, 4))
    expect(await stateOf(rolloutId)).toBe('halted')
  })

  test('counts what a process saw that has ended since', async () => {
    const { rolloutId, revision } = await start()
    const seen = { decisions: 3, newlyDenied: 3, examples: [], causes: {}, at: clock() }
    await store.observeRollout({ rolloutId, revision, reporter: 'it has ended', ...seen })
    await refuseRollback()
    await askAll(devices.slice(0, 1))
    await tellWhatWasSeen()
    await runControl(service.services)
    expect(await stateOf(rolloutId)).toBe('halted')
  })
})

test('a stage that goes on after a pause bakes anew', async () => {
  const bakeSeconds = 60
  const { rolloutId, stage } = await start({ plan: { ...PLAN, bakeSeconds } })
  await steer(rolloutId, 'pause')
  service.clock.advance(100)
  await steer(rolloutId, 'resume')
  const resumed = service.clock.now()
  expect((await fleet.rollout(rolloutId)).since).toEqual(resumed)
  for (let minutes = 0; minutes < 2; minutes++) {
    await runControl(service.services)
    expect(await fleet.rollout(rolloutId)).toMatchObject({ state: 'running', stage })
    service.clock.advance(29)
  }
  service.clock.advance(31)
  await runControl(service.services)
  expect(await fleet.rollout(rolloutId)).toMatchObject({ state: 'running', stage: stage + 1 })
})
