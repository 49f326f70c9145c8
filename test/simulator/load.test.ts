import { describe, expect, test } from 'vitest'
import { runLoad } from '../../src/simulator/load.ts'
import type { LoadReport } from '../../src/simulator/load-report.ts'
import { StandInService } from './stand-in-service.ts'

const url = 'https://countersign.test'

function connect() {
  const service = new StandInService(url)
  return { url, fetch: service.fetch, service }
}

describe('a load of virtual devices', () => {
  test('compares every verdict with what it should be', async () => {
    const seen: LoadReport[] = []
    const report = await runLoad({
      ...connect(),
      devices: 20,
      rate: 0,
      concurrency: 4,
      unhealthyEvery: 3,
      onProgress: (progress) => seen.push(progress),
    })
    expect(report).toMatchObject({
      devices: 20,
      started: 20,
      finished: 20,
      correct: 20,
      wrong: 0,
      failed: 0,
      errors: {},
      cancelled: false,
      verdicts: { trusted: 14, untrusted: 4, refused: 2 },
    })
    expect(seen).toHaveLength(20)
    const { p50, p95, p99, max } = report.latency
    expect([p50, p95, p99, max]).toEqual([p50, p95, p99, max].sort((a, b) => a - b))
    expect(p50).toBeGreaterThan(0)
  })

  test('begins devices at its rate, however fast the answers are', async () => {
    const load = { ...connect(), devices: 6, rate: 20, concurrency: 6, unhealthyEvery: 0 }
    const report = await runLoad(load)
    expect(report.finished).toBe(6)
    expect(report.elapsedMs).toBeGreaterThanOrEqual(250)
  })

  test('keeps its limit of concurrency and counts the queue as latency', async () => {
    const { service, ...target } = connect()
    let open = 0
    let most = 0
    const fetch = async (request: Request) => {
      open += 1
      most = Math.max(most, open)
      await new Promise((resolve) => setTimeout(resolve, 15))
      const response = await service.fetch(request)
      open -= 1
      return response
    }
    const report = await runLoad({ ...target, fetch, devices: 8, rate: 1000, concurrency: 2 })
    expect(most).toBeLessThanOrEqual(2)
    expect(report.latency.max).toBeGreaterThan(180)
    expect(report.finished).toBe(8)
  })

  test('tells wrong verdicts and failures apart', async () => {
    const { service, ...target } = connect()
    let submissions = 0
    const fetch = async (request: Request) => {
      if (!request.url.endsWith('/v1/attestations')) return service.fetch(request)
      submissions += 1
      // As often as an agent tries.
      if (submissions <= 4) throw new TypeError('connection reset')
      const answer = await (await service.fetch(request)).json()
      return Response.json({ ...answer, verdict: 'untrusted' })
    }
    const load = { ...target, fetch, devices: 3, rate: 0, concurrency: 1, unhealthyEvery: 0 }
    expect(await runLoad(load)).toMatchObject({
      correct: 0,
      wrong: 2,
      failed: 1,
      errors: { 'submission: agent_service_unreachable': 1, 'healthy: untrusted': 2 },
    })
  })

  test('can be cancelled, and then begins nothing more', async () => {
    const cancel = new AbortController()
    const report = await runLoad({
      ...connect(),
      devices: 1000,
      rate: 0,
      concurrency: 2,
      signal: cancel.signal,
      onProgress: ({ finished }) => finished === 3 && cancel.abort(),
    })
    expect(report.cancelled).toBe(true)
    expect(report.started).toBeLessThan(10)
    expect(report.finished).toBe(report.started)
  })
})
