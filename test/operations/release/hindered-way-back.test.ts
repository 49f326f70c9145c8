import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { createRandomSource } from '../../../src/base/random.ts'
import { commandReleases } from '../../../src/compose/release.ts'
import { ANY_DENIALS } from '../../../src/operations/release/gates.ts'
import { type ReleaseRequest, release } from '../../../src/operations/release/release.ts'
import { rollBack } from '../../../src/operations/release/roll-back.ts'
import {
  NO_SECOND,
  type SecondAdministrator,
} from '../../../src/operations/release/second-administrator.ts'
import { steerRollout } from '../../../src/operations/release/steer.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { enforceFleetDocuments, FLEET_VALUES, recordFleet } from '../../support/recorded-fleet.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { START } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import { bodyOf, type Document, lintedOf, policyWith } from './documents.ts'

/**
 * What may not stand in the way of who goes back. The fleet, the documents and the database are real; that one
 * administrator goes back is a promise of `docs/policy.md`, and has no outside witness.
 */
const { store, query, close } = await openTestDatabase()
await recordFleet(store, { devices: 10, now: START })
afterAll(close)

let now = START
const tick = () => {
  now = new Date(now.getTime() + 1000)
}
const { releases } = commandReleases({
  ...{ store, clock: () => now, random: createRandomSource(), requiresHardware: false },
})
const large = { ...releases, replaysAtMost: 2 }

beforeEach(async () => {
  tick()
  await query('delete from rollout')
  await enforceFleetDocuments(store, now)
})

const SECOND_AWAITED: SecondAdministrator = {
  isDemanded: true,
  ask: () => Promise.resolve({ reason: 'second_awaited', expiresAt: START }),
}

/** Agrees at once, and says how often it was asked. */
function agreeing() {
  const asked = { times: 0 }
  const second: SecondAdministrator = {
    isDemanded: true,
    ask() {
      asked.times += 1
      return Promise.resolve(undefined)
    },
  }
  return { asked, second }
}

const ASKED = { reason: 'x', acceptedDenials: 0, maxAgeMs: 60_000 } as const
const BAD = 'attestation.enclaveSvn > 1000'

let documents = 0
function newPolicy(require = 'attestation.enclaveSvn >= 5'): Document {
  const { body } = policyWith(require)
  return bodyOf('policy', { ...body, description: `number ${++documents}` })
}

async function releaseOf(document: Document, changes: Partial<ReleaseRequest> = {}) {
  tick()
  return release(releases, {
    ...{ document: lintedOf(document, now), way: { kind: 'at_once' }, by: 'test' },
    ...{ ...ASKED, second: NO_SECOND, ...changes },
  })
}

async function startOf(document: Document): Promise<string> {
  const started = await releaseOf(document, { way: { kind: 'rollout', plan: {} } })
  const { rollout } = expectOk(started)
  if (rollout === undefined) throw new Error('it was released at once')
  return rollout.rolloutId
}

async function step(rolloutId: string, to: 'enforce' | 'halted') {
  tick()
  const rollout = await store.rollout(rolloutId)
  if (rollout === null) throw new Error(`there is no rollout ${rolloutId}`)
  const { revision, pass, plan, stage } = rollout
  const by = { rolloutId, revision, note: '', health: null, by: 'test', now } as const
  const answer = await store.stepRollout(
    to === 'enforce'
      ? { ...by, action: 'entered', state: 'running', pass: to, stage: plan.stages.length - 1 }
      : { ...by, action: 'halted', state: 'halted', pass, stage },
  )
  expect(answer).toBe('applied')
}

type Changes = Partial<Parameters<typeof rollBack>[1]>
function back(changes: Changes = {}, on = releases) {
  tick()
  return rollBack(on, { kind: 'policy', by: 'admin', ...ASKED, second: SECOND_AWAITED, ...changes })
}

const inForce = async () => (await store.activeDocument('policy'))?.hash ?? ''

/** A version that decided, and one that denies everybody after it. */
async function releaseBad(): Promise<string> {
  const good = await inForce()
  expectOk(await releaseOf(newPolicy(BAD), { acceptedDenials: 10 }))
  return good
}

describe('a way back is not hindered', () => {
  test.each(['reverted', 'halted'] as const)(
    'by a harmless rollout that was %s in its audit pass',
    async (end) => {
      const good = await releaseBad()
      const rolloutId = await startOf(newPolicy())
      tick()
      if (end === 'halted') await step(rolloutId, 'halted')
      else {
        const revert = { ...ASKED, rolloutId, verb: 'revert', by: 'admin' } as const
        expectOk(await steerRollout(releases, { ...revert, second: SECOND_AWAITED }))
      }
      expect(expectOk(await back()).hash).toBe(good)
      expect(await inForce()).toBe(good)
    },
  )

  test('by an open rollout of the other kind in its audit pass, and ends it', async () => {
    const good = await releaseBad()
    const values = bodyOf('reference-values', { ...FLEET_VALUES, name: 'renamed' })
    const rolloutId = await startOf(values)
    expectOk(await back())
    expect(await inForce()).toBe(good)
    expect(await store.rollout(rolloutId)).toMatchObject({ state: 'reverted', pass: 'audit' })
  })

  test('but where the other rollout decides for devices its end comes first', async () => {
    await releaseBad()
    const values = bodyOf('reference-values', { ...FLEET_VALUES, name: 'renamed again' })
    const rolloutId = await startOf(values)
    await step(rolloutId, 'enforce')
    const refused = expectRefusal(await back({ acceptedDenials: ANY_DENIALS }), 'rollout_open')
    expect(refused).toMatchObject({ rollout: { rolloutId } })
  })

  test('nor is anything else but a way back let through beside that rollout', async () => {
    await startOf(bodyOf('reference-values', { ...FLEET_VALUES, name: 'and again' }))
    expectRefusal(await releaseOf(newPolicy()), 'rollout_open')
  })

  test('by a rollout that fell back, where what it fell back to is named', async () => {
    const good = await releaseBad()
    const bad = await inForce()
    const rolloutId = await startOf(newPolicy())
    await step(rolloutId, 'enforce')
    await step(rolloutId, 'halted')
    expect(expectRefusal(await back(), 'already_back')).toMatchObject({ rollout: { from: bad } })
    expectRefusal(await back({ expected: good }), 'superseded')
    expect(expectOk(await back({ expected: bad })).hash).toBe(good)
  })
})

describe('moments that a preview does not reach hinder no way back', () => {
  /** So many days on which a clause looks, from so many days on. */
  function dated(clauses: number, perClause: number): Document {
    const { body } = policyWith('attestation.enclaveSvn >= 1')
    const read = body as { readonly clauses: readonly { readonly id: string }[] }
    const day = (at: number) =>
      `now == timestamp("${new Date(START.getTime() + at * 86_400_000).toISOString()}")`
    const more = Array.from({ length: clauses }, (_, i) => {
      const days = Array.from({ length: perClause }, (__, d) => day(i * perClause + d + 1))
      const require = ['attestation.enclaveSvn >= 1', ...days].join(' || ')
      return { ...read.clauses.at(-1), id: `dated_${i}`, require }
    })
    const description = `number ${++documents}`
    return bodyOf('policy', { ...read, description, clauses: [...read.clauses, ...more] })
  }
  /** As another version of the service let it in. */
  async function enforceDated(document: Document) {
    tick()
    const { body, ...names } = document
    await putInForce(store, { ...names, body: body as never, author: 'x', reason: 'x', now })
  }

  test('to a version that names them', async () => {
    const good = dated(20, 15)
    await enforceDated(good)
    expectRefusal(await releaseOf(dated(20, 14)), 'too_many_dates')
    await releaseBad()
    expect(expectOk(await back()).hash).toBe(good.hash)
  })

  test('from a version that names them', async () => {
    const good = await inForce()
    await enforceDated(dated(20, 15))
    expect(expectOk(await back()).hash).toBe(good)
  })

  test('at the end of a rollout that decides', async () => {
    await enforceDated(dated(20, 15))
    const rolloutId = await startOf(newPolicy())
    await step(rolloutId, 'enforce')
    expectOk(await back())
    expect((await store.rollout(rolloutId))?.state).toBe('reverted')
  })
})

describe('whoever seconds a way back', () => {
  test('is not asked where a preview is missing, so that the agreement is kept', async () => {
    const strict = newPolicy(BAD)
    expectOk(await releaseOf(strict, { acceptedDenials: 10 }))
    expectOk(await releaseOf(newPolicy()))
    const { asked, second } = agreeing()
    const accepted = { acceptedDenials: 10, second }
    expectRefusal(await back(accepted, large), 'preview_missing')
    expect(asked.times).toBe(0)
    const document = lintedOf(strict, now).checked
    if (document === undefined) throw new Error('it compiles')
    expect(await releases.preview({ document, by: 'other' })).toBeDefined()
    expectRefusal(await back({ ...accepted, acceptedDenials: 9 }, large), 'denials_not_accepted')
    expect(asked.times).toBe(0)
    expectOk(await back(accepted, large))
    expect(asked.times).toBe(1)
  })

  test('nor at the end of a rollout', async () => {
    const rolloutId = await startOf(newPolicy())
    await step(rolloutId, 'enforce')
    const { asked, second } = agreeing()
    expectRefusal(await back({ acceptedDenials: 3, second }, large), 'preview_missing')
    expect(asked.times).toBe(0)
  })

  test.each([3, ANY_DENIALS])(
    'is told that the rollout is paused already (%s accepted)',
    async (acceptedDenials) => {
      const from = await inForce()
      const rolloutId = await startOf(newPolicy())
      await step(rolloutId, 'enforce')
      const awaited = expectRefusal(await back({ acceptedDenials }), 'second_awaited')
      expect(awaited).toMatchObject({ back: { kind: 'policy', hash: from, paused: rolloutId } })
      expect((await store.rollout(rolloutId))?.state).toBe('paused')
    },
  )
})
