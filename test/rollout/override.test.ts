import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findOverride, type Override } from '../../src/rollout/override.ts'
import { at, overrideOf } from './in-force-fixture.ts'

const DEVICE = { deviceId: 'dev_a', labels: ['field', 'vip'] }
const byDevice = { kind: 'device', name: 'dev_a' } as const
const byLabel = { kind: 'label', name: 'vip' } as const

const found = (overrides: readonly Override[], now = at(10)) =>
  findOverride(overrides, DEVICE, now)?.overrideId

describe('an override', () => {
  test('is found by the device and by any of its labels', () => {
    for (const target of [byDevice, byLabel]) {
      const one = overrideOf(target)
      expect(found([one])).toBe(one.overrideId)
    }
  })

  test('is of nobody else', () => {
    const others = [
      overrideOf({ kind: 'device', name: 'dev_b' }),
      overrideOf({ kind: 'label', name: 'kiosk' }),
      overrideOf({ kind: 'label', name: 'dev_a' }),
      overrideOf({ kind: 'device', name: 'vip' }),
    ]
    expect(found(others)).toBeUndefined()
    expect(found([])).toBeUndefined()
  })

  test('counts until it expires, exclusive', () => {
    const one = overrideOf(byDevice, undefined, { expiresAt: at(60) })
    expect(found([one], new Date(at(60).getTime() - 1))).toBe(one.overrideId)
    expect(found([one], at(60))).toBeUndefined()
  })

  test('that has expired does not hide one that has not', () => {
    const expired = overrideOf(byDevice, undefined, { createdAt: at(9), expiresAt: at(10) })
    const counting = overrideOf(byLabel)
    expect(found([expired, counting])).toBe(counting.overrideId)
  })

  test('of the device goes before one of a label, however old it is', () => {
    const old = overrideOf(byDevice, undefined, { createdAt: at(-1000) })
    const recent = overrideOf(byLabel, undefined, { createdAt: at(9) })
    expect(found([old, recent])).toBe(old.overrideId)
    expect(found([recent, old])).toBe(old.overrideId)
  })

  test('that is the newest goes before others of the same kind of target', () => {
    const old = overrideOf(byLabel, undefined, { createdAt: at(1) })
    const recent = overrideOf({ kind: 'label', name: 'field' }, undefined, { createdAt: at(2) })
    expect(found([old, recent])).toBe(recent.overrideId)
    expect(found([recent, old])).toBe(recent.overrideId)
  })
})

test('which override counts does not depend on the order in which they are kept', () => {
  const seconds = fc.integer({ min: -3, max: 3 })
  const override = fc
    .record({
      target: fc.constantFrom(
        byDevice,
        byLabel,
        { kind: 'label', name: 'field' } as const,
        {
          kind: 'device',
          name: 'dev_b',
        } as const,
      ),
      createdAt: seconds.map(at),
      expiresAt: seconds.map((s) => at(10 + s)),
    })
    .map(({ target, ...times }) => overrideOf(target, undefined, times))
  fc.assert(
    fc.property(fc.array(override, { maxLength: 8 }), (overrides) => {
      const one = findOverride(overrides, DEVICE, at(10))
      expect(findOverride(overrides.toReversed(), DEVICE, at(10))).toBe(one)
      const counting = overrides.filter(
        ({ target, expiresAt }) => target.name !== 'dev_b' && expiresAt > at(10),
      )
      expect(one === undefined).toBe(counting.length === 0)
      if (counting.some(({ target }) => target.kind === 'device')) {
        expect(one?.target.kind).toBe('device')
      }
      const rivals = counting.filter(({ target }) => target.kind === one?.target.kind)
      for (const { createdAt } of rivals) {
        expect(one?.createdAt.getTime()).toBeGreaterThanOrEqual(createdAt.getTime())
      }
    }),
  )
})
