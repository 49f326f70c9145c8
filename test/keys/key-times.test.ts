import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  KEY_MAX_AGE_MS,
  KEY_REREAD_MS,
  KEY_STATES,
  type KeyTimes,
  keyState,
  signerAt,
} from '../../src/keys/key-times.ts'

/** Nothing but arithmetic on times: there is no witness outside for it. */
const at = (seconds: number) => new Date(Date.UTC(2026, 2, 1) + seconds * 1000)
const first: KeyTimes = {
  createdAt: at(0),
  signsFrom: at(10),
  signsUntil: at(20),
  acceptedUntil: at(30),
  retiredAt: null,
}

test('a key goes from one state to the next exactly at its times', () => {
  const states = [0, 9.999, 10, 19.999, 20, 29.999, 30].map((time) => keyState(first, at(time)))
  expect(states).toEqual([
    ...['published', 'published', 'signing', 'signing'],
    ...['accepted', 'accepted', 'ended'],
  ])
})

test('without a successor it signs for ever', () => {
  const alone = { ...first, signsUntil: null, acceptedUntil: null }
  expect(keyState(alone, at(1e9))).toBe('signing')
})

test('one that was retired has ended, whatever a clock says', () => {
  for (const time of [-1e9, 0, 15, 25]) {
    expect(keyState({ ...first, retiredAt: at(1e9) }, at(time))).toBe('ended')
  }
})

const time = fc.integer({ min: 0, max: 1000 })
const keyTimes = fc
  .tuple(time, time, time, time, fc.boolean(), fc.boolean())
  .map(([a, b, c, d, isOpen, isRetired]): KeyTimes => {
    const [created = 0, from = 0, until = 0, accepted = 0] = [a, b, c, d].sort((x, y) => x - y)
    return {
      createdAt: at(created),
      signsFrom: at(from),
      signsUntil: isOpen ? null : at(until),
      acceptedUntil: isOpen ? null : at(accepted),
      retiredAt: isRetired ? at(accepted) : null,
    }
  })

test('property: time moves a key to the right and never back', () => {
  fc.assert(
    fc.property(keyTimes, time, time, (key, a, b) => {
      const [before, after] = [Math.min(a, b), Math.max(a, b)]
      const rank = (when: number) => KEY_STATES.indexOf(keyState(key, at(when)))
      expect(rank(before)).toBeLessThanOrEqual(rank(after))
    }),
  )
})

test('property: of keys of which one has no end something signs, and it has not ended', () => {
  fc.assert(
    fc.property(fc.array(keyTimes), time, (others, when) => {
      const newest = { ...first, signsUntil: null, acceptedUntil: null }
      const signer = signerAt([...others, newest], at(when))
      expect(signer).toBeDefined()
      if (signer !== undefined) expect(keyState(signer, at(when))).not.toBe('ended')
    }),
  )
})

test('a clock that is behind the first key signs with the one that begins next', () => {
  const next = { ...first, signsFrom: at(12) }
  expect(signerAt([first, next], at(-50))).toBe(first)
  expect(signerAt([{ ...first, retiredAt: at(0) }, next], at(-50))).toBe(next)
  expect(signerAt([{ ...first, retiredAt: at(0) }], at(-50))).toBeUndefined()
})

test('what a process has is read again before it may be too old', () => {
  expect(KEY_REREAD_MS).toBeLessThan(KEY_MAX_AGE_MS)
})
