import { afterAll, describe, expect, test } from 'vitest'
import type { DocumentHash } from '../../../src/base/document-hash.ts'
import type { Rollout } from '../../../src/rollout/rollout.ts'
import type { Store } from '../../../src/store/store.ts'
import { StoreError } from '../../../src/store/store-error.ts'
import { agent } from '../../policy/healthy-device.ts'
import { newId } from '../../store/fixtures.ts'
import { bodyOf, policyWith } from '../release/documents.ts'
import { openSmallFleet, PLAN, type SmallFleet } from '../release/small-fleet.ts'

/** Calls of the store that fail, by name and how often. */
const failing = new Map<keyof Store, number>()

function withFailures(store: Store): Store {
  return new Proxy(store, {
    get(target, name, receiver) {
      const left = failing.get(name as keyof Store) ?? 0
      if (left === 0) return Reflect.get(target, name, receiver)
      failing.set(name as keyof Store, left - 1)
      return () => Promise.reject(new StoreError(new Error('the database is away')))
    },
  })
}

const fleet = await openSmallFleet({ wrap: withFailures })
const { service, store, ask, askAll } = fleet
const devices = await fleet.makeDevices(8)
const [first = '', second = '', third = '', fourth = '', fifth = ''] = devices
const outside = await fleet.makeDevices(5, { ring: 50 })
afterAll(() => fleet.close())

/** Denies everybody, and another one each time. */
const denying = () =>
  policyWith(`attestation.enclaveSvn > ${1000 + Number(newId('').split('-')[0])}`)
/** Wants something of the question that nobody says. */
const demanding = () => policyWith(`context.network == "${newId('net')}"`)

/** What the database was told of the rollout as it is, after the next report is due. */
async function told({ rolloutId }: Rollout) {
  service.clock.advance(5)
  await service.services.shadow.report(service.clock.now())
  const { revision } = await fleet.rollout(rolloutId)
  const [observed, ...others] = await store.rolloutObservations(rolloutId, revision)
  expect(others).toEqual([])
  if (observed === undefined) return { decisions: 0, newlyDenied: 0, causes: {} }
  const { decisions, newlyDenied, causes } = observed
  return { decisions, newlyDenied, causes }
}

async function withRollout(
  document: Parameters<SmallFleet['start']>[0],
  changes: Parameters<SmallFleet['start']>[1],
  check: (rollout: Rollout) => Promise<void>,
): Promise<void> {
  const rollout = await fleet.start(document, changes)
  try {
    await check(rollout)
  } finally {
    const last = await fleet.rollout(rollout.rolloutId)
    const { rolloutId, revision, pass, stage } = last
    await store.stepRollout({
      ...{ rolloutId, revision, pass, stage, action: 'reverted', state: 'reverted' },
      ...{ note: '', health: null, by: 'test', now: service.clock.now() },
    })
  }
}

describe('in the audit pass', () => {
  test('nothing changes for who asks, and a question that would be lost counts', async () => {
    const before = await ask(first)
    expect(before.decision).toBe(true)
    await withRollout(denying(), {}, async (rollout) => {
      expect(await ask(first)).toEqual(before)
      expect(await told(rollout)).toEqual({ decisions: 1, newlyDenied: 1, causes: { added: 1 } })
    })
  })

  test('what a clause about requests would deny counts, by what is really asked', async () => {
    const document = policyWith('context.network == "corporate"')
    await withRollout(document, {}, async (rollout) => {
      const said = { network: 'corporate' }
      expect(await askAll([first, second], said)).toEqual([true, true])
      expect(await told(rollout)).toEqual({ decisions: 2, newlyDenied: 0, causes: {} })
      expect(await askAll([first, second])).toEqual([true, true])
      expect(await told(rollout)).toEqual({ decisions: 4, newlyDenied: 2, causes: { added: 2 } })
    })
  })

  test('more than the budget halts it at once, and denies nobody', async () => {
    await withRollout(demanding(), {}, async ({ rolloutId }) => {
      expect(await askAll(devices.slice(0, 4))).toEqual([true, true, true, true])
      expect((await fleet.rollout(rolloutId)).state).toBe('halted')
      expect(await askAll(devices)).not.toContain(false)
    })
  })

  test('while it is paused too', async () => {
    await withRollout(demanding(), { state: 'paused' }, async ({ rolloutId }) => {
      await askAll(devices.slice(0, 4))
      expect((await fleet.rollout(rolloutId)).state).toBe('halted')
    })
  })
})

describe('in the enforce pass', () => {
  const changes = { pass: 'enforce' } as const

  test('more than the budget halts it at once, and the next decision is by the old policy', async () => {
    await withRollout(demanding(), changes, async (rollout) => {
      const { rolloutId, to } = rollout
      for (const id of [first, second, third]) {
        expect(await ask(id)).toMatchObject({ decision: false, context: { policy: to } })
        expect((await fleet.rollout(rolloutId)).state).toBe('running')
      }
      expect((await ask(fourth)).decision).toBe(false)
      expect(await fleet.rollout(rolloutId)).toMatchObject({ state: 'halted', pass: 'enforce' })
      for (const id of devices) {
        expect(await ask(id)).toMatchObject({
          decision: true,
          context: { policy: fleet.policy.hash },
        })
      }
      expect((await store.activeDocument('policy'))?.hash).toBe(fleet.policy.hash)
      const halts = await service.query(
        `select actor, action from audit where action = 'rollout.halted'
         and detail ->> 'rolloutId' = '${rolloutId}'`,
      )
      expect(halts).toEqual([{ actor: 'service', action: 'rollout.halted' }])
      const logged = service.logs.filter((line) => line.includes(rolloutId))
      expect(logged.filter((line) => line.includes('"event":"rollout_halted"'))).toHaveLength(1)
    })
  })

  test('in one batch halts it with the answer', async () => {
    await withRollout(demanding(), changes, async ({ rolloutId }) => {
      const headers = await service.as('access.evaluate')
      const evaluations = devices.map((id) => ({ subject: { type: 'device', id } }))
      const resource = { type: 'application', id: 'payroll' }
      const body = { resource, action: { name: 'signin' }, evaluations }
      await service.post('/access/v1/evaluations', body, { headers })
      expect((await fleet.rollout(rolloutId)).state).toBe('halted')
      expect(await askAll(devices)).not.toContain(false)
    })
  })

  test('a device that asks again and again counts once', async () => {
    await withRollout(demanding(), changes, async (rollout) => {
      for (let i = 0; i < 10; i++) await ask(first)
      expect(await told(rollout)).toMatchObject({ decisions: 10, newlyDenied: 1 })
      expect((await fleet.rollout(rollout.rolloutId)).state).toBe('running')
    })
  })

  test('only what the new document denies and the old one allows counts', async () => {
    const risky = policyWith('context.risk < 5')
    const [bad = ''] = await fleet.makeDevices(1, { claims: { secureBootEnabled: false } })
    await withRollout(risky, changes, async (rollout) => {
      expect((await ask(bad, { risk: 9 })).decision).toBe(false)
      expect((await ask(first, { risk: 1 })).decision).toBe(true)
      expect(await told(rollout)).toEqual({ decisions: 2, newlyDenied: 0, causes: {} })
    })
    const laxer = bodyOf('policy', { name: 'All', clauses: [{ ...CLAUSE, require: 'true' }] })
    await withRollout(laxer, changes, async (rollout) => {
      expect((await ask(bad)).decision).toBe(true)
      expect(await told(rollout)).toEqual({ decisions: 1, newlyDenied: 0, causes: {} })
    })
  })

  test('what reference values deny counts for them', async () => {
    const stricter = bodyOf('reference-values', { enclaves: [agent({ minimum_svn: 99 })] })
    await withRollout(stricter, changes, async (values) => {
      expect((await ask(first)).decision).toBe(false)
      expect(await told(values)).toEqual({
        decisions: 1,
        newlyDenied: 1,
        causes: { enclave_current: 1 },
      })
    })
  })

  const CLAUSE = {
    id: 'all',
    severity: 'enforce',
    texts: { en: { title: 'Title', repair: 'Repair.' } },
  }
})

describe('what does not count', () => {
  test('are devices outside of the stage', async () => {
    for (const pass of ['audit', 'enforce'] as const) {
      await withRollout(denying(), { pass }, async (rollout) => {
        expect(await askAll(outside)).not.toContain(false)
        expect(await told(rollout)).toEqual({ decisions: 0, newlyDenied: 0, causes: {} })
      })
    }
  })

  test('are devices for which a pin decides', async () => {
    const [pinned = ''] = await fleet.makeDevices(1)
    const now = service.clock.now()
    const pin = (hash: DocumentHash) =>
      store.createOverride({
        overrideId: newId('ovr_'),
        target: { kind: 'device', name: pinned },
        what: { action: 'pin', kind: 'policy', hash },
        ...{ reason: '', author: 'test', now, expiresAt: new Date(now.getTime() + 3_600_000) },
      })
    const strict = policyWith('attestation.enclaveSvn > 500')
    const body = JSON.parse(JSON.stringify(strict.body))
    const proposed = { kind: 'policy', hash: strict.hash, author: 'test', reason: '', now } as const
    await store.proposeDocument({ ...proposed, body })
    expect(await pin(strict.hash)).toBe('applied')
    for (const pass of ['audit', 'enforce'] as const) {
      await withRollout(denying(), { pass }, async (rollout) => {
        const answer = await ask(pinned)
        expect(answer).toMatchObject({ decision: false, context: { policy: strict.hash } })
        expect(await told(rollout)).toMatchObject({ newlyDenied: 0 })
      })
    }
  })

  test('is a device that nobody knows', async () => {
    await withRollout(denying(), {}, async (rollout) => {
      expect((await ask('dev_nobody')).decision).toBe(false)
      expect(await told(rollout)).toMatchObject({ decisions: 0 })
    })
  })
})

describe('a stage by labels', () => {
  test('counts the devices that have one', async () => {
    const [pilot = ''] = await fleet.makeDevices(1, { ring: 99, labels: ['pilot'] })
    const plan = { ...PLAN, stages: [{ percent: 0, labels: ['pilot'] }] }
    await withRollout(denying(), { pass: 'enforce', plan }, async (rollout) => {
      expect(await askAll([first, pilot])).toEqual([true, false])
      expect(await told(rollout)).toMatchObject({ decisions: 1, newlyDenied: 1 })
    })
  })
})

describe('a report that fails', () => {
  test('costs no answer, and is told again', async () => {
    await withRollout(denying(), {}, async (rollout) => {
      service.clock.advance(5)
      failing.set('observeRollout', 1)
      expect((await ask(first)).decision).toBe(true)
      expect(failing.get('observeRollout')).toBe(0)
      expect(service.logs.join()).toContain('"event":"report_failed"')
      expect(await store.rolloutObservations(rollout.rolloutId, 1)).toEqual([])
      expect(await told(rollout)).toMatchObject({ decisions: 1, newlyDenied: 1 })
    })
  })

  test('of a halt is told again with the next answer', async () => {
    await withRollout(demanding(), { pass: 'enforce' }, async ({ rolloutId }) => {
      failing.set('stepRollout', 1)
      expect(await askAll([first, second, third, fourth])).not.toContain(true)
      expect((await fleet.rollout(rolloutId)).state).toBe('running')
      await ask(fifth)
      expect((await fleet.rollout(rolloutId)).state).toBe('halted')
      expect((await ask(fifth)).decision).toBe(true)
    })
  })

  test('of what was seen does not keep a halt back', async () => {
    await withRollout(demanding(), { pass: 'enforce' }, async ({ rolloutId }) => {
      failing.set('observeRollout', 100)
      await askAll([first, second, third, fourth])
      failing.delete('observeRollout')
      expect((await fleet.rollout(rolloutId)).state).toBe('halted')
    })
  })

  test('of a halt is told at once where another process has paused the stage meanwhile', async () => {
    await withRollout(demanding(), { pass: 'enforce' }, async (rollout) => {
      failing.set('stepRollout', 1)
      await askAll([first, second, third, fourth])
      const { rolloutId, revision, pass, stage } = rollout
      const pause = { rolloutId, revision, pass, stage, action: 'paused', state: 'paused' } as const
      const now = service.clock.now()
      const by = { note: '', health: null, by: 'another process', now }
      expect(await store.stepRollout({ ...pause, ...by })).toBe('applied')
      expect(await service.services.shadow.report(now)).toMatchObject([{ rolloutId }])
      expect(await fleet.rollout(rolloutId)).toMatchObject({ state: 'halted', stage })
    })
  })

  test('comes too late where another process took the next step, and changes nothing', async () => {
    await withRollout(demanding(), { pass: 'enforce' }, async (rollout) => {
      failing.set('stepRollout', 1)
      await askAll([first, second, third, fourth])
      const { rolloutId, revision, pass } = rollout
      const by = 'another process'
      const step = {
        rolloutId,
        revision,
        pass,
        stage: 1,
        action: 'entered',
        state: 'running',
      } as const
      const now = service.clock.now()
      expect(await store.stepRollout({ ...step, note: '', health: null, by, now })).toBe('applied')
      expect(await service.services.shadow.report(now)).toEqual([])
      expect(await fleet.rollout(rolloutId)).toMatchObject({ state: 'running', stage: 1 })
      expect(await told(rollout)).toMatchObject({ decisions: 0 })
    })
  })
})

test('nothing is due where nothing is on trial, and once everything was told', async () => {
  const { shadow, clock } = service.services
  await shadow.report(clock())
  service.clock.advance(60)
  await ask(first)
  expect(shadow.isDue(clock())).toBe(false)
  await withRollout(denying(), {}, async () => {
    await ask(first)
    expect(shadow.isDue(clock())).toBe(false)
    await ask(first)
    expect(shadow.isDue(clock())).toBe(false)
    service.clock.advance(5)
    expect(shadow.isDue(clock())).toBe(true)
    await shadow.report(clock())
    service.clock.advance(60)
    expect(shadow.isDue(clock())).toBe(false)
  })
})
