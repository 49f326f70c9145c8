import { afterAll, describe, expect, test, vi } from 'vitest'
import { runRetention } from '../../../src/operations/jobs/retention.ts'
import { PARTITIONED_TABLES } from '../../../src/store/schema/partitioned.ts'
import type { Store } from '../../../src/store/store.ts'
import { createTestService, readOk, startDevice, testClock } from '../../support/service.ts'
import { attestMinted, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const clock = testClock()
const service = await createTestService({ database, clock })
await rememberHealthy(service, await startDevice())
afterAll(() => database.close())

const HOUR = 3600
const DAY = 24 * HOUR
const never = new AbortController().signal

const count = async (table: string, where = 'true') =>
  Number((await service.query(`select count(*) as n from ${table} where ${where}`))[0]?.n)

/** The partitions that there are, by PostgreSQL's catalog. */
async function partitionsOf(table: string): Promise<string[]> {
  const rows = await service.query(
    `select inhrelid::regclass::text as name from pg_inherits
     where inhparent = '${table}'::regclass order by 1`,
  )
  return rows.map(({ name }) => String(name))
}

async function runTwice(change: Partial<Store> = {}, signal = never): Promise<object[]> {
  const from = service.logs.length
  const store = { ...service.services.store, ...change }
  for (let run = 0; run < 2; run++) await runRetention({ ...service.services, store }, signal)
  return service.logs.slice(from).map((line) => JSON.parse(line))
}

describe('one run of the retention', () => {
  test('makes the partitions of now and of the time to come, tells of it once and is quiet then', async () => {
    const lines = await runTwice()
    const made = { event: 'partitions_made', level: 'info' }
    expect(lines).toContainEqual(expect.objectContaining({ ...made, table: 'spent_nonce' }))
    expect(lines).toContainEqual(expect.objectContaining({ ...made, table: 'audit' }))
    expect(lines.filter((line) => 'event' in line && line.event !== 'partitions_made')).toEqual(
      lines.filter((line) => 'event' in line && line.event === 'partition_missing'),
    )
    expect(await partitionsOf('spent_nonce')).toHaveLength(5)
    expect(await runTwice()).toEqual([])
  })

  test('drops what is old with its partitions, each in its time, and keeps the devices', async () => {
    clock.advance(2 * HOUR)
    const { deviceId } = await attestMinted(service)
    const outside = `tableoid::regclass::text like '%_default' and device_id = '${deviceId}'`
    for (const table of ['attestation', 'spent_nonce']) expect(await count(table, outside)).toBe(0)
    const ofDevice = `device_id = '${deviceId}'`
    const left = async () =>
      Promise.all(
        ['spent_nonce', 'settled_event', 'attestation', 'recent_attestation', 'device'].map(
          (table) => count(table, ofDevice),
        ),
      )
    const later = async (days: number) => {
      clock.advance(days * DAY)
      await runTwice()
      return left()
    }
    expect(await later(0)).toEqual([1, 0, 1, 1, 1])
    // Nonces of a day go with the day after; the event waits for its receiver for a week.
    expect(await later(2)).toEqual([0, 0, 1, 1, 1])
    expect(await later(6)).toEqual([0, 1, 1, 1, 1])
    expect(await later(9)).toEqual([0, 0, 1, 1, 1])
    // HISTORY_DAYS are 90; a partition has seven days, and goes when the last of them is old.
    expect(await later(73)).toEqual([0, 0, 1, 1, 1])
    expect(await later(7)).toEqual([0, 0, 0, 1, 1])
    const { entries } = await service.services.store.deviceHistory(deviceId, { limit: 9 })
    expect(entries).toHaveLength(1)
    const metrics = await (await service.request('/metrics')).text()
    expect(metrics).toMatch(/countersign_dropped_partitions_total{table="attestation"} [1-9]/)
    expect(metrics).toContain('countersign_partitions_missing{table="attestation"} 0')
  })

  test('rings where a partition is missing, and what comes is answered and kept all the same', async () => {
    clock.advance(30 * DAY)
    const period = 7 * DAY * 1000
    const begin = new Date(Math.floor(service.services.clock().getTime() / period) * period)
    const name = `attestation_${begin.toISOString().slice(0, 10).replaceAll('-', '')}00`
    await service.query(`create table ${name} (in_the_way integer)`)
    const lines = await runTwice()
    expect(lines).toContainEqual(
      expect.objectContaining({
        ...{ event: 'partition_missing', level: 'error', table: 'attestation', missing: 1 },
        fault: `relation "${name}" already exists`,
      }),
    )
    const metrics = await (await service.request('/metrics')).text()
    expect(metrics).toContain('countersign_partitions_missing{table="attestation"} 1')
    const { answer, deviceId } = await attestMinted(service)
    await readOk(answer, 201)
    const outside = `device_id = '${deviceId}' and tableoid::regclass::text = 'attestation_default'`
    expect(await count('attestation', outside)).toBe(1)
    await service.query(`drop table ${name}`)
    expect(await runTwice()).toContainEqual(
      expect.objectContaining({
        ...{ event: 'partition_missing', table: 'attestation', missing: 0, rows_came_before: true },
      }),
    )
    expect(await runTwice()).toEqual([])
    // They leave by themselves, too.
    clock.advance(91 * DAY)
    await runTwice()
    expect(await count('attestation', outside)).toBe(0)
  })

  test('goes on with the others when one fails', async () => {
    await attestMinted(service)
    clock.advance(8 * DAY)
    const { keepPartitions } = service.services.store
    const lines = await runTwice({
      keepPartitions: (input) =>
        input.table === 'refusal'
          ? Promise.reject(new Error('the store failed'))
          : keepPartitions(input),
    })
    expect(await count('outbox')).toBe(0)
    const failed = { event: 'job_failed', job: 'partitions', table: 'refusal', level: 'error' }
    expect(lines).toContainEqual(expect.objectContaining(failed))
    expect(lines).toContainEqual(expect.objectContaining({ event: 'partitions_made' }))
  })

  test('ends, however much there is to do', async () => {
    const clearDefaultPartition = vi.fn(() => Promise.resolve(1_000))
    await runTwice({ clearDefaultPartition })
    expect(clearDefaultPartition).toHaveBeenCalledTimes(2 * 50 * PARTITIONED_TABLES.length)
  })

  test('ends after the step at hand when the process stops', async () => {
    const stopping = new AbortController()
    const { keepPartitions } = service.services.store
    const keep = vi.fn((input: Parameters<typeof keepPartitions>[0]) => {
      stopping.abort()
      return keepPartitions(input)
    })
    const waitingEvents = vi.fn(() => Promise.resolve([]))
    await runTwice({ keepPartitions: keep, waitingEvents }, stopping.signal)
    expect(keep).toHaveBeenCalledTimes(1)
    expect(waitingEvents).not.toHaveBeenCalled()
  })

  test('may be done by any number of processes at once', async () => {
    clock.advance(40 * DAY)
    await Promise.all(Array.from({ length: 8 }, () => runRetention(service.services, never)))
    expect(await runTwice()).toEqual([])
    expect(await partitionsOf('spent_nonce')).toHaveLength(5)
  })
})
