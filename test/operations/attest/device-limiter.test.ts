import { expect, test } from 'vitest'
import { createDeviceLimiter } from '../../../src/operations/attest/device-limiter.ts'

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds))

test('a device may burst up to its minute, then waits for the next token', () => {
  const limiter = createDeviceLimiter(6)
  for (let i = 0; i < 6; i++) expect(limiter.charge('dev_a', at(0))).toBe(0)
  expect(limiter.charge('dev_a', at(0))).toBe(10)
  expect(limiter.charge('dev_a', at(10))).toBe(0)
})

test('one device never spends the tokens of another', () => {
  const limiter = createDeviceLimiter(1)
  limiter.charge('dev_a', at(0))
  expect(limiter.charge('dev_a', at(0))).toBeGreaterThan(0)
  expect(limiter.charge('dev_b', at(0))).toBe(0)
})

test('a clock that goes back refills nothing', () => {
  const limiter = createDeviceLimiter(1)
  limiter.charge('dev_a', at(30))
  expect(limiter.charge('dev_a', at(0))).toBeGreaterThan(0)
})
