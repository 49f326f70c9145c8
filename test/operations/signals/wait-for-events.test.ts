import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createBell } from '../../../src/operations/signals/bell.ts'
import { waitForEvents } from '../../../src/operations/signals/wait-for-events.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function open() {
  const bell = createBell()
  const leaving = new AbortController()
  let looks = 0
  const over = (async () => {
    while (!leaving.signal.aborted) {
      await waitForEvents(bell, leaving.signal)
      looks += 1
    }
  })()
  const leave = async () => {
    leaving.abort()
    await over
  }
  return { bell, leave, looks: () => looks }
}

test('whoever waits looks soon after a ring, and once in a while without', async () => {
  const { bell, leave, looks } = open()
  bell.ring()
  await vi.advanceTimersByTimeAsync(200)
  expect(looks()).toBe(1)
  await vi.advanceTimersByTimeAsync(999)
  expect(looks()).toBe(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(looks()).toBe(2)
  await leave()
})

/** A poll of a stream without events waits through a change of the whole fleet, which rings the bell all the time. */
test('ATTACK: rings without end have a poll look no more than five times a second', async () => {
  const { bell, leave, looks } = open()
  for (let ms = 0; ms < 10_000; ms += 5) {
    bell.ring()
    await vi.advanceTimersByTimeAsync(5)
  }
  expect(looks()).toBeGreaterThan(10)
  expect(looks()).toBeLessThanOrEqual(50)
  await leave()
})
