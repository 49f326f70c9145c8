import { describe, expect, test } from 'vitest'
import {
  allowedUntil,
  type Control,
  dependsOnLabels,
  type SteeredDevice,
  trialsOf,
  versionFor,
  versionsInForce,
} from '../../src/rollout/in-force.ts'
import type { OverrideTarget } from '../../src/rollout/override.ts'
import { DEFAULT_PLAN, type Rollout } from '../../src/rollout/rollout.ts'
import { namedHash } from '../support/document-hash.ts'
import { at, controlOf, overrideOf, rolloutOf } from './in-force-fixture.ts'

const NOW = at(100)
const DEVICE: SteeredDevice = { deviceId: 'dev_a', labels: ['vip'], ring: 0 }
const OUTSIDE: SteeredDevice = { deviceId: 'dev_z', labels: [], ring: 99 }
const byDevice = { kind: 'device', name: 'dev_a' } as const
const byLabel = { kind: 'label', name: 'vip' } as const

const policyFor = (control: Control, device: SteeredDevice | null = DEVICE, now = NOW) =>
  versionFor(control, 'policy', device, now)
const enforcing = (changes: Partial<Rollout> = {}) => rolloutOf({ pass: 'enforce', ...changes })
const pin = (target: OverrideTarget, hash: string, changes = {}) =>
  overrideOf(target, { action: 'pin', kind: 'policy', hash: namedHash(hash) }, changes)

describe('the version that decides for a device', () => {
  test('is the active one, since it was made active', () => {
    expect(policyFor(controlOf())).toEqual({ hash: 'policy-old', since: at(-1000) })
    expect(versionFor(controlOf(), 'reference-values', DEVICE, NOW)).toEqual({
      hash: 'values-old',
      since: at(-2000),
    })
  })

  test('is none where none is active', () => {
    expect(policyFor(controlOf({ active: [] }))).toBeUndefined()
  })

  test('is the new one of a rollout that enforces, since it reached the device', () => {
    const entered = { 0: at(-20).toISOString(), 1: at(50).toISOString() }
    const rollout = enforcing({ createdAt: at(-50), since: at(50), enforcedAt: entered })
    const control = controlOf({ rollouts: [rollout] })
    expect(policyFor(control)).toEqual({ hash: 'policy-new', since: at(-20) })
    // No later stage begins it anew, and one that comes later to others does so for them alone.
    const wider = controlOf({ rollouts: [{ ...rollout, stage: 1 }] })
    expect(policyFor(wider)?.since).toEqual(at(-20))
    expect(policyFor(wider, { ...DEVICE, ring: 3, labels: [] })?.since).toEqual(at(50))
    // One that was under way before this was noted.
    const unnoted = controlOf({ rollouts: [{ ...rollout, enforcedAt: {} }] })
    expect(policyFor(unnoted)?.since).toEqual(at(-50))
    expect(policyFor(control, OUTSIDE)?.hash).toBe('policy-old')
    expect(policyFor(control, null)?.hash).toBe('policy-old')
    expect(versionFor(control, 'reference-values', DEVICE, NOW)?.hash).toBe('values-old')
  })

  test.each([
    ['running', 'audit', 'policy-old'],
    ['paused', 'audit', 'policy-old'],
    ['running', 'enforce', 'policy-new'],
    ['paused', 'enforce', 'policy-new'],
    ['halted', 'enforce', 'policy-old'],
    ['reverted', 'enforce', 'policy-old'],
    ['done', 'enforce', 'policy-old'],
  ] as const)('in a rollout that is %s in its %s pass is %s', (state, pass, hash) => {
    expect(policyFor(controlOf({ rollouts: [rolloutOf({ state, pass })] }))?.hash).toBe(hash)
  })

  test('is the pinned one before any other, since it was pinned', () => {
    const overrides = [pin(byDevice, 'policy-pinned', { createdAt: at(7) })]
    const control = controlOf({ rollouts: [enforcing()], overrides })
    expect(policyFor(control)).toEqual({ hash: 'policy-pinned', since: at(7) })
    expect(policyFor(control, OUTSIDE)?.hash).toBe('policy-old')
    expect(policyFor(control, null)?.hash).toBe('policy-old')
  })

  test('is the one of the rollout again when the pin expires, from that instant on', () => {
    const overrides = [pin(byDevice, 'policy-pinned', { expiresAt: at(60) })]
    const control = controlOf({ rollouts: [enforcing()], overrides })
    expect(policyFor(control, DEVICE, new Date(at(60).getTime() - 1))?.hash).toBe('policy-pinned')
    expect(policyFor(control, DEVICE, at(60))?.hash).toBe('policy-new')
  })

  test('is pinned for the device before it is for its label', () => {
    const overrides = [pin(byDevice, 'of-device'), pin(byLabel, 'of-label', { createdAt: at(50) })]
    expect(policyFor(controlOf({ overrides }))?.hash).toBe('of-device')
    const other = { ...DEVICE, deviceId: 'dev_b' }
    expect(policyFor(controlOf({ overrides }), other)?.hash).toBe('of-label')
  })

  test('is not touched by a pin of the other kind, nor by an allowance', () => {
    const kind = 'reference-values'
    const values = overrideOf(byDevice, { action: 'pin', kind, hash: namedHash('values-pinned') })
    const newest = overrideOf(byDevice, undefined, { createdAt: at(99) })
    const overrides = [values, newest]
    expect(policyFor(controlOf({ overrides }))?.hash).toBe('policy-old')
    expect(versionFor(controlOf({ overrides }), kind, DEVICE, NOW)?.hash).toBe('values-pinned')
  })
})

describe('the rollouts in which a device takes part', () => {
  test('are the open ones whose stage it is in, of any pass', () => {
    const rollouts = [
      rolloutOf({ rolloutId: 'audit' }),
      enforcing({ rolloutId: 'paused', kind: 'reference-values', state: 'paused' }),
      enforcing({ rolloutId: 'halted', state: 'halted' }),
      rolloutOf({ rolloutId: 'done', state: 'done' }),
    ]
    const control = controlOf({ rollouts })
    expect(trialsOf(control, DEVICE).map(({ rolloutId }) => rolloutId)).toEqual(['audit', 'paused'])
    expect(trialsOf(control, OUTSIDE)).toEqual([])
  })
})

describe('an allowance', () => {
  test('lasts until it expires, and there is none without one', () => {
    const control = controlOf({ overrides: [overrideOf(byLabel), pin(byDevice, 'x')] })
    expect(allowedUntil(control, DEVICE, NOW)).toEqual(at(3600))
    expect(allowedUntil(control, DEVICE, at(3600))).toBeNull()
    expect(allowedUntil(control, OUTSIDE, NOW)).toBeNull()
    expect(allowedUntil(controlOf({ overrides: [pin(byDevice, 'x')] }), DEVICE, NOW)).toBeNull()
  })

  test('that is shorter takes nothing from a longer one, whose device or label it is', () => {
    const short = overrideOf(byDevice, undefined, { createdAt: at(10), expiresAt: at(60) })
    const control = controlOf({ overrides: [overrideOf(byLabel), short] })
    expect(allowedUntil(control, DEVICE, at(20))).toEqual(at(3600))
  })
})

test('every version that may decide for somebody is in force, each once', () => {
  const overrides = [pin(byDevice, 'pinned'), pin(byLabel, 'pinned'), overrideOf(byDevice)]
  const values = {
    kind: 'reference-values',
    from: namedHash('values-old'),
    to: namedHash('values-new'),
  } as const
  const rollouts = [rolloutOf(), rolloutOf(values)]
  const control = controlOf({ overrides, rollouts })
  expect(versionsInForce(control, 'policy').toSorted()).toEqual([
    'pinned',
    'policy-new',
    'policy-old',
  ])
  expect(versionsInForce(control, 'reference-values').toSorted()).toEqual([
    'values-new',
    'values-old',
  ])
  expect(versionsInForce(controlOf({ active: [] }), 'policy')).toEqual([])
})

test('what steers depends on labels as soon as an override or a stage names one', () => {
  const plan = { ...DEFAULT_PLAN, stages: [{ percent: 1, labels: ['pilot'] }] }
  expect(dependsOnLabels(controlOf())).toBe(false)
  expect(dependsOnLabels(controlOf({ rollouts: [rolloutOf()] }))).toBe(false)
  expect(dependsOnLabels(controlOf({ overrides: [overrideOf(byDevice)] }))).toBe(false)
  expect(dependsOnLabels(controlOf({ overrides: [overrideOf(byLabel)] }))).toBe(true)
  expect(dependsOnLabels(controlOf({ rollouts: [rolloutOf({ plan })] }))).toBe(true)
})
