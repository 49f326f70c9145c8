import { afterAll, describe, expect, test } from 'vitest'
import {
  driveRollout,
  haltRollout,
  type RolloutVerb,
  stepByHand,
} from '../../../src/operations/release/drive-rollout.ts'
import type { Rollout, RolloutState } from '../../../src/rollout/rollout.ts'
import type { Json } from '../../../src/store/json.ts'
import { newId } from '../../store/fixtures.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { policyWith } from './documents.ts'
import { openSmallFleet, PLAN } from './small-fleet.ts'

const fleet = await openSmallFleet()
const { store, service } = fleet
afterAll(() => fleet.close())

const LAST = PLAN.stages.length - 1
const now = () => service.clock.now()
const document = () =>
  policyWith(`attestation.enclaveSvn < ${1000 + Number(newId('').split('-')[0])}`)
const healthOf = (newlyDenied = 0) => ({
  ...{ at: now().toISOString(), compared: 1000, devices: 1000, newlyDenied },
  causes: [{ cause: 'added', devices: newlyDenied }],
  examples: [],
})

/** One that is the only open one. */
async function begin(changes: Partial<Rollout> = {}): Promise<Rollout> {
  for (const one of (await store.control()).rollouts) {
    const { rolloutId, revision, pass, stage } = one
    await store.stepRollout({
      ...{ rolloutId, revision, pass, stage, action: 'reverted', state: 'reverted' },
      ...{ note: '', health: null, by: 'test', now: now() },
    })
  }
  return fleet.start(document(), changes)
}

function steer(rollout: Rollout, verb: RolloutVerb) {
  // So that the audit log tells the order.
  service.clock.advance(1)
  return stepByHand(store, rollout, { verb, by: 'cli_admin', reason: 'I say so', now: now() })
}
const lastAudit = async (rolloutId: string) => {
  const rows = await service.query(`select actor, action, detail ->> 'note' as note from audit
    where detail ->> 'rolloutId' = '${rolloutId}' order by at, audit_id`)
  return rows.at(-1)
}

describe('an administrator', () => {
  const OPEN: readonly [RolloutState, RolloutVerb, RolloutState | 'not_now', string][] = [
    ['running', 'pause', 'paused', 'rollout.paused'],
    ['running', 'resume', 'not_now', ''],
    ['running', 'revert', 'reverted', 'rollout.reverted'],
    ['running', 'promote', 'running', 'rollout.promoted'],
    ['paused', 'pause', 'not_now', ''],
    ['paused', 'resume', 'running', 'rollout.resumed'],
    ['paused', 'revert', 'reverted', 'rollout.reverted'],
    ['paused', 'promote', 'running', 'rollout.promoted'],
  ]

  test.each(OPEN)('of one that is %s: %s makes it %s', async (state, verb, expected, action) => {
    const rollout = await begin({ state, stage: 1 })
    const answer = await steer(rollout, verb)
    const found = await fleet.rollout(rollout.rolloutId)
    if (expected === 'not_now') {
      expect(answer).toBe('not_now')
      expect(found).toEqual(rollout)
      return
    }
    expect(answer).toBe('applied')
    expect(found).toMatchObject({
      state: expected,
      note: 'I say so',
      stage: verb === 'promote' ? 2 : 1,
      pass: 'audit',
      revision: rollout.revision + 1,
    })
    expect(await lastAudit(rollout.rolloutId)).toEqual({
      actor: 'cli_admin',
      action,
      note: 'I say so',
    })
  })

  test.each(['halted', 'reverted', 'done'] as const)(
    'of one that is %s can do nothing',
    async (state) => {
      const rollout = await begin()
      const { rolloutId, revision, pass, stage } = rollout
      const end = { rolloutId, revision, pass, stage, action: state, state, note: '', health: null }
      await store.stepRollout({ ...end, by: 'test', now: now() })
      const ended = await fleet.rollout(rolloutId)
      const { hash } = (await store.activeDocument('policy')) ?? {}
      for (const verb of ['pause', 'resume', 'promote', 'revert'] as const) {
        expect(await steer(ended, verb)).toBe('not_now')
        // Nor does one who does not know yet that it has ended.
        expect(await steer({ ...ended, state: 'running' }, verb)).toMatch(/superseded|not_now/)
      }
      expect(await fleet.rollout(rolloutId)).toEqual(ended)
      expect((await store.activeDocument('policy'))?.hash).toBe(hash)
    },
  )

  test('promotes past each stage in turn, from the audit to the end', async () => {
    let rollout = await begin()
    const places: string[] = []
    while (rollout.state === 'running') {
      places.push(`${rollout.pass} ${rollout.stage}`)
      expect(await steer(rollout, 'promote')).toBe('applied')
      rollout = await fleet.rollout(rollout.rolloutId)
    }
    const stages = PLAN.stages.map((_, stage) => stage)
    const passes = ['audit', 'enforce']
    expect(places).toEqual(passes.flatMap((pass) => stages.map((stage) => `${pass} ${stage}`)))
    expect(rollout.state).toBe('done')
    expect((await store.activeDocument('policy'))?.hash).toBe(rollout.to)
    expect(await lastAudit(rollout.rolloutId)).toMatchObject({ action: 'rollout.done' })
  })

  test('of two at once one steers', async () => {
    const rollout = await begin()
    const answers = await Promise.all([steer(rollout, 'promote'), steer(rollout, 'promote')])
    expect(answers.toSorted()).toEqual(['applied', 'superseded'])
    expect((await fleet.rollout(rollout.rolloutId)).stage).toBe(1)
  })

  test('reverts what is enforced, and the next decision is by the old policy', async () => {
    const active = await store.activeDocument('policy')
    const [device = ''] = await fleet.makeDevices(1)
    const rollout = await begin({ pass: 'enforce', stage: LAST })
    expect((await fleet.ask(device)).context.policy).toBe(rollout.to)
    expect(await steer(rollout, 'revert')).toBe('applied')
    expect((await fleet.ask(device)).context.policy).toBe(active?.hash)
  })
})

describe('a check', () => {
  const later = () => new Date(now().getTime() + PLAN.bakeSeconds * 1000)
  const drive = (rollout: Rollout, newlyDenied: number, time: Date) =>
    driveRollout(store, rollout, { health: healthOf(newlyDenied), now: time })

  test('that leads to no step is kept', async () => {
    const rollout = await begin()
    expect(await drive(rollout, 1, now())).toEqual({
      step: { kind: 'stay', why: 'baking' },
      answer: 'applied',
    })
    const found = await fleet.rollout(rollout.rolloutId)
    expect(found).toEqual({ ...rollout, health: healthOf(1) })
  })

  test('of a healthy stage takes the next one in the name of the service', async () => {
    const rollout = await begin({ stage: LAST })
    const { step, answer } = await drive(rollout, 0, later())
    expect({ step, answer }).toEqual({
      step: { kind: 'enter', pass: 'enforce', stage: 0 },
      answer: 'applied',
    })
    const found = await fleet.rollout(rollout.rolloutId)
    expect(found).toMatchObject({ pass: 'enforce', stage: 0, since: later(), health: null })
    expect(await lastAudit(rollout.rolloutId)).toMatchObject({
      actor: 'service',
      action: 'rollout.entered',
    })
  })

  test('of the last healthy stage ends it with the new document in force', async () => {
    const rollout = await begin({ pass: 'enforce', stage: LAST })
    service.clock.advance(1)
    expect(await drive(rollout, 0, later())).toMatchObject({ step: { kind: 'complete' } })
    expect((await store.activeDocument('policy'))?.hash).toBe(rollout.to)
    expect(await lastAudit(rollout.rolloutId)).toMatchObject({ action: 'rollout.done' })
  })

  test('that found too much halts it, and says why', async () => {
    const rollout = await begin({ pass: 'enforce', stage: 2, state: 'paused' })
    expect(await drive(rollout, 4, now())).toMatchObject({
      step: { kind: 'halt', why: 'budget_exceeded' },
      answer: 'applied',
    })
    const found = await fleet.rollout(rollout.rolloutId)
    expect(found).toMatchObject({ state: 'halted', pass: 'enforce', stage: 2 })
    expect(found.note).toMatch(/4 of 1,000 devices.*added \(4\)/)
    expect(found.health).toEqual(healthOf(4))
  })

  test('by several processes takes one step', async () => {
    const rollout = await begin()
    const driven = await Promise.all(Array.from({ length: 6 }, () => drive(rollout, 0, later())))
    const answers = driven.map(({ answer }) => answer)
    expect(answers.toSorted()).toEqual(['applied', ...Array(5).fill('superseded')])
    expect(await fleet.rollout(rollout.rolloutId)).toMatchObject({ pass: 'audit', stage: 1 })
  })

  test('of a revision that is no more halts nothing that follows it', async () => {
    const rollout = await begin()
    await steer(rollout, 'promote')
    expect((await drive(rollout, 50, now())).answer).toBe('superseded')
    expect((await fleet.rollout(rollout.rolloutId)).state).toBe('running')
  })
})

test('a halt over what a process saw keeps what the last check found', async () => {
  const { rolloutId, revision } = await begin({ pass: 'enforce' })
  const health = healthOf(2)
  await store.recordRolloutHealth({ rolloutId, revision, health })
  const known = await fleet.rollout(rolloutId)
  expect(await haltRollout(store, known, { newlyDenied: 7, now: now() })).toBe('applied')
  expect(await fleet.rollout(rolloutId)).toMatchObject({ state: 'halted', health })
  expect((await fleet.rollout(rolloutId)).note).toContain('7 devices')
  expect(await haltRollout(store, known, { newlyDenied: 8, now: now() })).toBe('superseded')
})

describe('what a rollout says of itself', () => {
  const PLACE = `of ${PLAN.stages.length}`
  const drive = async (changes: Partial<Rollout>, newlyDenied: number, bake = PLAN.bakeSeconds) => {
    const rollout = await begin(changes)
    const then = new Date(now().getTime() + bake * 1000)
    await driveRollout(store, rollout, { health: healthOf(newlyDenied), now: then })
    return (await fleet.rollout(rollout.rolloutId)).note
  }

  test('is that a stage was healthy only where nobody lost anything', async () => {
    expect(await drive({ stage: 1 }, 0)).toBe(
      `audit stage 2 ${PLACE} was healthy: none of 1,000 devices would have been denied that is allowed`,
    )
    expect(await drive({ stage: 1 }, 3)).toBe(
      `audit stage 2 ${PLACE} kept to the budget of 3 devices or 100 %: 3 of 1,000 devices would have been denied that are allowed`,
    )
    expect(await drive({ pass: 'enforce' }, 1)).toBe(
      `enforce stage 1 ${PLACE} kept to the budget of 3 devices or 100 %: 1 of 1,000 devices is denied that was allowed before`,
    )
  })

  test('is in the audit pass what would have been, and in the other what is', async () => {
    expect(await drive({ stage: 2 }, 4)).toBe(
      `halted in audit stage 3 ${PLACE}: 4 of 1,000 devices would have been denied that are allowed, more than the budget of 3 devices or 100 %: added (4)`,
    )
    expect(await drive({ pass: 'enforce', stage: 2 }, 4)).toBe(
      `halted in enforce stage 3 ${PLACE}: 4 of 1,000 devices are denied that were allowed before, more than the budget of 3 devices or 100 %: added (4)`,
    )
  })

  test('is the same of questions that were really asked', async () => {
    const halted = async (changes: Partial<Rollout>, newlyDenied: number) => {
      const rollout = await begin(changes)
      await haltRollout(store, rollout, { newlyDenied, now: now() })
      return (await fleet.rollout(rollout.rolloutId)).note
    }
    expect(await halted({}, 11)).toBe(
      `halted in audit stage 1 ${PLACE}: 11 devices would have been denied what they asked for, and were allowed it`,
    )
    expect(await halted({ pass: 'enforce' }, 1)).toBe(
      `halted in enforce stage 1 ${PLACE}: 1 device was denied what it asked for, and would have been allowed it before`,
    )
  })

  test('is where it was when another document came into force', async () => {
    const rollout = await begin({ stage: 1 })
    const { kind, hash, body } = document()
    const names = { kind, hash, body: body as Json, author: 'test', reason: 'x', now: now() }
    await putInForce(store, { ...names, expected: rollout.from })
    expect((await fleet.rollout(rollout.rolloutId)).note).toBe(
      `ended in audit stage 2 ${PLACE}: another document came into force`,
    )
  })
})
