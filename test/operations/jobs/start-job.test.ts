import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { startJob } from '../../../src/operations/jobs/start-job.ts'

const random = (length: number) => new Uint8Array(length)

describe('a job that runs by itself', () => {
  test('runs again and again until it is stopped, and is told that it is', async () => {
    const signals: AbortSignal[] = []
    const job = startJob(
      async (signal) => {
        signals.push(signal)
      },
      { everyMs: 10, random },
    )
    await vi.waitFor(() => expect(signals.length).toBeGreaterThan(3), { timeout: 5_000 })
    await job.stop()
    const after = signals.length
    await delay(60)
    expect(signals.length).toBe(after)
    expect(signals.every((signal) => signal.aborted)).toBe(true)
  })

  test('is waited for when it is stopped', async () => {
    let ended = false
    let begun = false
    const run = async () => {
      begun = true
      await delay(100)
      ended = true
    }
    const job = startJob(run, { everyMs: 1, random })
    await vi.waitFor(() => expect(begun).toBe(true), { timeout: 5_000 })
    await job.stop()
    expect(ended).toBe(true)
  })

  test('runs at once when it is woken, and once more when that comes while it runs', async () => {
    let runs = 0
    const gate = Promise.withResolvers<void>()
    const job = startJob(
      async () => {
        runs += 1
        await gate.promise
      },
      { everyMs: 3_600_000, random },
    )
    job.wake()
    expect(runs).toBe(1)
    job.wake()
    job.wake()
    expect(runs).toBe(1)
    gate.resolve()
    await vi.waitFor(() => expect(runs).toBe(2))
    await job.stop()
    job.wake()
    expect(runs).toBe(2)
  })
})
