import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { createRandomSource } from '../../../src/base/random.ts'
import { commandReleases } from '../../../src/compose/release.ts'
import { findLinted } from '../../../src/operations/release/check-document.ts'
import { ANY_DENIALS } from '../../../src/operations/release/gates.ts'
import { type ReleaseRequest, release } from '../../../src/operations/release/release.ts'
import { rollBack } from '../../../src/operations/release/roll-back.ts'
import {
  NO_SECOND,
  type SecondAdministrator,
} from '../../../src/operations/release/second-administrator.ts'
import type { Rollout } from '../../../src/rollout/rollout.ts'
import { enforceFleetDocuments, recordFleet } from '../../support/recorded-fleet.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { START } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import { bodyOf, lintedOf, policyWith } from './documents.ts'

const { store, query, close } = await openTestDatabase()
await recordFleet(store, { devices: 10, now: START })
afterAll(close)
beforeEach(async () => {
  for (const { rolloutId, revision, pass, stage, state } of await store.listRollouts(10)) {
    if (state !== 'running') continue
    const to = { rolloutId, revision, pass, stage, action: 'reverted', state: 'reverted' } as const
    await store.stepRollout({ ...to, note: '', health: null, by: 'test', now: START })
  }
  await enforceFleetDocuments(store, START)
})

const { releases } = commandReleases({
  ...{ store, clock: () => START, random: createRandomSource(), requiresHardware: false },
})

/** Whoever asks for a second one is answered that it is waited for: nothing happens. */
const SECOND_AWAITED: SecondAdministrator = {
  isDemanded: true,
  ask: () => Promise.resolve({ reason: 'second_awaited', expiresAt: START }),
}

let documents = 0
function newPolicy(require = 'attestation.enclaveSvn >= 5') {
  const { body } = policyWith(require)
  return bodyOf('policy', { ...body, description: `number ${++documents}` })
}

const releaseOf = (document: ReturnType<typeof newPolicy>, changes: Partial<ReleaseRequest> = {}) =>
  release(releases, {
    ...{ document: lintedOf(document, START), way: { kind: 'at_once' }, by: 'test' },
    ...{ reason: 'a change', acceptedDenials: 0, maxAgeMs: 60_000, second: NO_SECOND },
    ...changes,
  })

const back = (changes: Partial<Parameters<typeof rollBack>[1]> = {}) =>
  rollBack(releases, {
    ...{ kind: 'policy', by: 'admin', reason: 'it was wrong', acceptedDenials: 0 },
    ...{ maxAgeMs: 60_000, second: SECOND_AWAITED },
    ...changes,
  })

const inForce = async () => (await store.activeDocument('policy'))?.hash

describe('the way back', () => {
  test('is to the version before, at once and by one administrator', async () => {
    const before = await inForce()
    const bad = newPolicy('attestation.enclaveSvn > 1000')
    expectOk(await releaseOf(bad, { acceptedDenials: 10 }))
    expect(await inForce()).toBe(bad.hash)
    expect(expectOk(await back())).toEqual({ hash: before, rollout: undefined, newlyDenied: 0 })
    expect(await inForce()).toBe(before)
    const rows = await query(
      `select detail from audit where actor = 'admin' and action = 'document.activated'`,
    )
    expect(rows).toMatchObject([
      { detail: { hash: before, reason: 'it was wrong', previousHash: bad.hash } },
    ])
  })

  test('goes no further: who asks twice is refused, and nothing changes', async () => {
    const before = await inForce()
    expectOk(await releaseOf(newPolicy()))
    expectOk(await back())
    expectRefusal(await back(), 'no_version_before')
    expect(await inForce()).toBe(before)
  })

  test('makes a preview of its own, and who would lose access stops it', async () => {
    const strict = newPolicy('attestation.enclaveSvn > 1000')
    expectOk(await releaseOf(strict, { acceptedDenials: 10 }))
    const open = newPolicy()
    expectOk(await releaseOf(open))
    expect(expectRefusal(await back(), 'denials_not_accepted')).toMatchObject({ newlyDenied: 10 })
    expect(await inForce()).toBe(open.hash)
    // What takes access away takes two, way back or not.
    expectRefusal(await back({ acceptedDenials: 10 }), 'second_awaited')
    expectOk(await back({ acceptedDenials: 10, second: NO_SECOND }))
    expect(await inForce()).toBe(strict.hash)
  })

  test('of a document that is on its way is the end of its rollout', async () => {
    const before = await inForce()
    const started = expectOk(await releaseOf(newPolicy(), { way: { kind: 'rollout', plan: {} } }))
    const { hash, rollout } = expectOk(await back())
    expect({ hash, rolloutId: rollout?.rolloutId }).toEqual({
      hash: before,
      rolloutId: started.rollout?.rolloutId,
    })
    expect(rollout).toMatchObject({ state: 'reverted', note: 'it was wrong' })
    expect(await inForce()).toBe(before)
  })

  test.each(['halted', 'reverted'] as const)(
    'is gone already where the last rollout was %s: the last good version stays in force',
    async (state) => {
      const good = newPolicy()
      expectOk(await releaseOf(good))
      const document = newPolicy('attestation.enclaveSvn >= 4')
      const { rollout } = expectOk(
        await releaseOf(document, { way: { kind: 'rollout', plan: {} } }),
      )
      if (rollout === undefined) throw new Error('it was released at once')
      const { rolloutId, revision } = rollout
      const now = new Date(START.getTime() + 1)
      const names = { rolloutId, pass: 'enforce', stage: 0, health: null, by: 'test', now } as const
      const entered = { revision, action: 'entered', state: 'running', note: 'it decides' } as const
      expect(await store.stepRollout({ ...names, ...entered })).toBe('applied')
      const ended = { revision: revision + 1, action: state, state, note: 'fell back' }
      expect(await store.stepRollout({ ...names, ...ended })).toBe('applied')
      expect(expectRefusal(await back(), 'already_back')).toMatchObject({ rollout: { rolloutId } })
      expect(await inForce()).toBe(good.hash)
    },
  )

  test('does nothing if another document is in force than the one that is to go', async () => {
    expectOk(await releaseOf(newPolicy()))
    expectRefusal(await back({ expected: 'f'.repeat(64) }), 'superseded')
  })

  describe('in a fleet that no request replays', () => {
    const large = { ...releases, replaysAtMost: 2 }
    const backAt = (changes: Partial<Parameters<typeof rollBack>[1]> = {}) =>
      rollBack(large, {
        ...{ kind: 'policy', by: 'admin', reason: 'x', acceptedDenials: 0, maxAgeMs: 60_000 },
        ...{ second: SECOND_AWAITED, ...changes },
      })

    test('is refused at once with what to preview, and goes by that preview', async () => {
      const before = await inForce()
      const newer = newPolicy()
      expectOk(await releaseOf(newer))
      expect(expectRefusal(await backAt(), 'preview_missing')).toMatchObject({
        back: { kind: 'policy', hash: before, paused: undefined },
      })
      const version = { kind: 'policy', hash: before ?? '', now: START } as const
      const { checked } = expectOk(await findLinted(store, version))
      if (checked === undefined) throw new Error('it decided before')
      expect(await releases.preview({ document: checked, by: 'other' })).toBeDefined()
      expectRefusal(await backAt({ maxAgeMs: -1 }), 'preview_missing')
      expectOk(await backAt())
      expect(await inForce()).toBe(before)
    })

    test('counts nobody in an emergency, and takes two where two are required', async () => {
      const strict = newPolicy('attestation.enclaveSvn > 1000')
      expectOk(await releaseOf(strict, { acceptedDenials: 10 }))
      expectOk(await releaseOf(newPolicy()))
      const any = { acceptedDenials: ANY_DENIALS }
      expectRefusal(await backAt(any), 'second_awaited')
      expect(expectOk(await backAt({ ...any, second: NO_SECOND }))).toEqual({
        ...{ hash: strict.hash, rollout: undefined, newlyDenied: null },
      })
      expect(await inForce()).toBe(strict.hash)
    })

    test('but what was not in force before is counted, whatever is accepted', async () => {
      const changes = { acceptedDenials: ANY_DENIALS }
      const document = { document: lintedOf(newPolicy(), START), way: { kind: 'at_once' } } as const
      const released = await release(large, {
        ...{ ...document, ...changes, by: 'test', reason: 'x', maxAgeMs: 60_000 },
        second: NO_SECOND,
      })
      expectRefusal(released, 'preview_missing')
    })
  })
})

/** A rollout of a document that was let begin, and halted. */
async function halt(document: ReturnType<typeof newPolicy>, changes: Partial<ReleaseRequest> = {}) {
  const started = await releaseOf(document, {
    ...{ way: { kind: 'rollout', plan: {} }, acceptedDenials: 10 },
    ...changes,
  })
  const { rollout } = expectOk(started)
  if (rollout === undefined) throw new TypeError('a release by a plan is a rollout')
  const { rolloutId, revision, pass, stage } = rollout
  const step = { rolloutId, revision, pass, stage, action: 'halted', state: 'halted' } as const
  const now = new Date(START.getTime() + ++documents)
  await store.stepRollout({ ...step, note: 'halted: too many', health: null, by: 'service', now })
  return rolloutId
}

describe('a document whose rollout has halted', () => {
  const WAYS: readonly ReleaseRequest['way'][] = [
    { kind: 'at_once' },
    { kind: 'by_size' },
    { kind: 'rollout', plan: {} },
  ]

  test.each(WAYS)('is refused $kind, and by whatever other name is given', async (way) => {
    const document = newPolicy('attestation.enclaveSvn > 1000')
    const halted = await halt(document)
    const asked = { way, acceptedDenials: 10 }
    const before = await inForce()
    const refused = expectRefusal(await releaseOf(document, asked), 'document_halted')
    expect(refused).toMatchObject({ rollout: { rolloutId: halted } })
    const other = await halt(newPolicy('attestation.enclaveSvn > 1001'))
    expectRefusal(await releaseOf(document, { ...asked, despite: other }), 'document_halted')
    expect(await inForce()).toBe(before)
    expectOk(await releaseOf(document, { ...asked, despite: halted, reason: 'it is meant' }))
  })

  test('is refused before anybody is asked to second it', async () => {
    const document = newPolicy('attestation.enclaveSvn > 1000')
    await halt(document)
    expectRefusal(await releaseOf(document, { second: SECOND_AWAITED }), 'document_halted')
  })

  test('keeps who released it all the same, and why, with the rollout and in the audit', async () => {
    const document = newPolicy('attestation.enclaveSvn > 1000')
    const halted = await halt(document)
    const despite = { despite: halted, reason: 'it is meant', acceptedDenials: 10 }
    expectOk(await releaseOf(document, despite))
    expect(await store.rollout(halted)).toMatchObject({
      state: 'halted',
      note: 'halted: too many',
      despite: { by: 'test', reason: 'it is meant', at: START.toISOString() },
    })
    const rows = await query(`select action from audit where detail ->> 'despite' = '${halted}'`)
    expect(rows).toEqual([{ action: 'document.activated' }])
  })

  test('has to be named anew when it halts again', async () => {
    const document = newPolicy('attestation.enclaveSvn > 1000')
    const first = await halt(document)
    const second = await halt(document, { despite: first })
    const asked = { acceptedDenials: 10, despite: first }
    const refused = expectRefusal(await releaseOf(document, asked), 'document_halted')
    expect(refused).toMatchObject({ rollout: { rolloutId: second } })
  })

  test('is refused too where it halts while somebody releases it', async () => {
    const document = newPolicy('attestation.enclaveSvn > 1000')
    const late = {
      ...releases,
      store: {
        ...store,
        async haltedRollouts(...of: Parameters<typeof store.haltedRollouts>) {
          const known = await store.haltedRollouts(...of)
          await halt(document)
          return known
        },
      },
    }
    const request = { document: lintedOf(document, START), way: { kind: 'at_once' } as const }
    const released = await release(late, {
      ...{ ...request, by: 'test', reason: 'x', acceptedDenials: 10, maxAgeMs: 60_000 },
      second: NO_SECOND,
    })
    expectRefusal(released, 'superseded')
  })

  test('can be returned to, as it decided before', async () => {
    const document = newPolicy()
    const despite = await halt(document)
    expectOk(await releaseOf(document, { despite }))
    expectOk(await releaseOf(newPolicy()))
    expect(expectOk(await back()).hash).toBe(document.hash)
  })

  test('another document, and another kind, is not meant by it', async () => {
    await halt(newPolicy('attestation.enclaveSvn > 1000'))
    expectOk(await releaseOf(newPolicy()))
    const halts = await store.haltedRollouts('reference-values')
    expect(halts satisfies readonly Rollout[]).toEqual([])
  })
})
