import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_ATTEMPTS, MAX_RETRY_AFTER_SECONDS } from '../../src/azure/limits.ts'
import { type Attempt, readRetryAfter, repeatSafely } from '../../src/azure/retry.ts'
import { err, ok } from '../../src/base/result.ts'

type Failed = { readonly reason: string }

const NOW = new Date('2026-03-02T08:00:00Z')
const failed: Attempt<string, Failed> = { result: err({ reason: 'away' }), mayRepeat: true }
const done: Attempt<string, Failed> = { result: ok('done'), mayRepeat: false }

/** Runs over the given tries; each takes `tryMs` of a clock that waiting moves, too. */
async function run(tries: readonly Attempt<string, Failed>[], options: { tryMs?: number } = {}) {
  let now = NOW.getTime()
  const limits: number[] = []
  const pauses: number[] = []
  const result = await repeatSafely<string, Failed>({
    attempt: async (timeoutMs) => {
      const tried = tries[limits.length]
      if (tried === undefined) throw new Error('a try too many')
      limits.push(timeoutMs)
      now += Math.min(options.tryMs ?? 0, timeoutMs)
      return tried
    },
    timeoutMs: 1000,
    clock: () => new Date(now),
    random: () => 0.5,
    wait: async (ms) => {
      pauses.push(ms)
      now += ms
    },
  })
  return { result, limits, pauses }
}

describe('repeating', () => {
  test('ends with the first success', async () => {
    const { result, limits } = await run([failed, done])
    expect(result).toEqual(ok('done'))
    expect(limits).toEqual([1000, 1000])
  })

  test('pauses longer each time, with jitter over the upper half', async () => {
    const { pauses } = await run([failed, failed, done])
    expect(pauses).toEqual([150, 300])
  })

  test('gives up after so many tries with the last failure', async () => {
    const last = { ...failed, result: err({ reason: 'last' }) }
    const { result, limits } = await run([failed, failed, last])
    expect(limits).toHaveLength(MAX_ATTEMPTS)
    expect(result).toEqual(err({ reason: 'last' }))
  })

  test('never repeats what may not be repeated', async () => {
    const { limits, pauses } = await run([{ ...failed, mayRepeat: false }])
    expect([limits.length, pauses]).toEqual([1, []])
  })

  test('waits as long as it is asked to', async () => {
    const { pauses } = await run([{ ...failed, retryAfterSeconds: 1 }, done])
    expect(pauses).toEqual([1150])
  })

  test('does not wait for what would come after the time for the message', async () => {
    const { limits, pauses } = await run([{ ...failed, retryAfterSeconds: 2 }])
    expect([limits.length, pauses]).toEqual([1, []])
  })

  test('takes no longer in all than twice the timeout', async () => {
    const { limits, pauses } = await run([failed, failed, failed], { tryMs: 1000 })
    expect(limits[0]).toBe(1000)
    const total = [...limits, ...pauses].reduce((sum, ms) => sum + ms, 0)
    expect(total).toBeLessThanOrEqual(2000)
  })

  test('bounds a try although the clock was set back meanwhile', async () => {
    const { limits } = await run([failed, done], { tryMs: -3_600_000 })
    expect(limits).toEqual([1000, 1000])
  })
})

describe('Retry-After', () => {
  test.each([
    ['0', 0],
    ['17', 17],
    [' 17 ', 17],
    ['9999999999', MAX_RETRY_AFTER_SECONDS],
    ['Mon, 02 Mar 2026 08:00:30 GMT', 30],
    ['Mon, 02 Mar 2026 07:00:00 GMT', 0],
    ['Tue, 02 Mar 2027 07:00:00 GMT', MAX_RETRY_AFTER_SECONDS],
  ])('%j asks for %i seconds', (header, seconds) => {
    expect(readRetryAfter(header, NOW)).toBe(seconds)
  })

  test.each([
    undefined,
    '',
    '-1',
    '1.5',
    '0x10',
    '99999999999',
    'soon',
    '2026-03-02T08:00:30Z',
    'Mon, 99 Xyz 2026 08:00:30 GMT',
  ])('%j says nothing', (header) => {
    expect(readRetryAfter(header, NOW)).toBeUndefined()
  })

  test('is within its limits or nothing, whatever the header', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        const seconds = readRetryAfter(header, NOW) ?? 0
        expect(Number.isInteger(seconds)).toBe(true)
        expect(seconds >= 0 && seconds <= MAX_RETRY_AFTER_SECONDS).toBe(true)
      }),
    )
  })
})
