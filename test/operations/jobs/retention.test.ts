import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, describe, expect, test, vi } from 'vitest'
import type { Services } from '../../../src/compose/services.ts'
import { runJobs, startJob } from '../../../src/operations/jobs/retention.ts'
import { SPENT_NONCE_MARGIN_SECONDS } from '../../../src/store/system/retention.ts'
import { createTestService, readOk, startDevice, testClock } from '../../support/service.ts'
import { attestMinted, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const clock = testClock()
const service = await createTestService({ database, clock })
await rememberHealthy(service, await startDevice())
afterAll(() => database.close())

const DAY = 86_400
/** Audit rows of which the history has more to say. */
const ATTESTED = `action = 'attestation.recorded'`
const never = new AbortController().signal

const count = async (table: string, where = 'true') =>
  Number((await service.query(`select count(*) as n from ${table} where ${where}`))[0]?.n)

/** The services with another store, for jobs that cannot be waited for. */
function withStore(change: Partial<Services['store']>): Services {
  return { ...service.services, store: { ...service.services.store, ...change } }
}

describe('one run of the jobs', () => {
  test('forgets nonces only when every clock refuses them for their age alone', async () => {
    const { answer } = await attestMinted(service)
    await readOk(answer, 201)
    clock.advance(300 + SPENT_NONCE_MARGIN_SECONDS - 1)
    await runJobs(service.services, never)
    expect(await count('spent_nonce')).toBe(1)
    clock.advance(2)
    await runJobs(service.services, never)
    expect(await count('spent_nonce')).toBe(0)
    expect(service.logs.at(-1)).toContain('"job":"spent_nonces"')
    const metrics = await (await service.request('/metrics')).text()
    expect(metrics).toContain('countersign_removed_rows_total{job="spent_nonces"} 1')
  })

  test('keeps the record, and of the history what is young or last', async () => {
    const { deviceKey, deviceId } = await attestMinted(service)
    for (let i = 0; i < 9; i++) {
      clock.advance(60)
      await readOk((await attestMinted(service, { deviceKey })).answer, 201)
    }
    const ofDevice = `device_id = '${deviceId}'`
    await runJobs(service.services, never)
    expect(await count('attestation', ofDevice)).toBe(10)
    clock.advance(91 * DAY)
    await runJobs(service.services, never)
    expect(await count('attestation', ofDevice)).toBe(5)
    expect(await count('device', ofDevice)).toBe(1)
  })

  test('empties the outbox of what is a week old, and the audit log after two years or sooner', async () => {
    await attestMinted(service)
    expect(await count('outbox')).toBeGreaterThan(0)
    clock.advance(8 * DAY)
    await runJobs(service.services, never)
    expect(await count('outbox')).toBe(0)
    expect(await count('audit', ATTESTED)).toBeGreaterThan(0)
    clock.advance(91 * DAY)
    await runJobs(service.services, never)
    expect(await count('audit', ATTESTED)).toBe(0)
    expect(await count('audit')).toBeGreaterThan(0)
    clock.advance(731 * DAY)
    await runJobs(service.services, never)
    // Of what is that old; devices that nobody has seen since were tidied away, which is told of now.
    expect(await count('audit', "action not like 'device.%'")).toBe(0)
  })

  test('with nothing to do writes no line', async () => {
    await runJobs(service.services, never)
    const from = service.logs.length
    await runJobs(service.services, never)
    expect(service.logs.length).toBe(from)
  })

  test('goes on with the others when one fails', async () => {
    await attestMinted(service)
    clock.advance(8 * DAY)
    const from = service.logs.length
    const broken = withStore({
      removeSpentNonces: () => Promise.reject(new Error('the store failed')),
    })
    await runJobs(broken, never)
    expect(await count('outbox')).toBe(0)
    const failed = service.logs.slice(from).map((line) => JSON.parse(line))
    expect(failed).toContainEqual(
      expect.objectContaining({ event: 'job_failed', job: 'spent_nonces', level: 'error' }),
    )
    await runJobs(service.services, never)
    expect(await count('spent_nonce')).toBe(0)
  })

  test('ends, however much there is to remove', async () => {
    const removeOldAudit = vi.fn(() => Promise.resolve(1_000))
    await runJobs(withStore({ removeOldAudit }), never)
    expect(removeOldAudit).toHaveBeenCalledTimes(50)
  })

  test('ends after the batch at hand when the process stops', async () => {
    const stopping = new AbortController()
    const removeSpentNonces = vi.fn(() => {
      stopping.abort()
      return Promise.resolve(1_000)
    })
    const removeOldOutbox = vi.fn(() => Promise.resolve(0))
    await runJobs(withStore({ removeSpentNonces, removeOldOutbox }), stopping.signal)
    expect(removeSpentNonces).toHaveBeenCalledTimes(1)
    expect(removeOldOutbox).not.toHaveBeenCalled()
  })

  test('may be done by any number of processes at once', async () => {
    for (let i = 0; i < 5; i++) await attestMinted(service)
    clock.advance(300 + SPENT_NONCE_MARGIN_SECONDS + 1)
    await Promise.all(Array.from({ length: 8 }, () => runJobs(service.services, never)))
    expect(await count('spent_nonce')).toBe(0)
  })
})

describe('jobs that run by themselves', () => {
  test('run again and again, also after a failure, until they are stopped', async () => {
    let runs = 0
    const removeSpentNonces = () => {
      runs += 1
      return runs === 1 ? Promise.reject(new Error('once')) : Promise.resolve(0)
    }
    const jobs = startJob((signal) => runJobs(withStore({ removeSpentNonces }), signal), {
      everyMs: 10,
      random: service.services.random,
    })
    await vi.waitFor(() => expect(runs).toBeGreaterThan(3), { timeout: 5_000 })
    await jobs.stop()
    const after = runs
    await delay(60)
    expect(runs).toBe(after)
  })

  test('are waited for when they are stopped', async () => {
    let ended = false
    let begun = false
    const removeSpentNonces = async () => {
      begun = true
      await delay(100)
      ended = true
      return 0
    }
    const jobs = startJob((signal) => runJobs(withStore({ removeSpentNonces }), signal), {
      everyMs: 1,
      random: service.services.random,
    })
    await vi.waitFor(() => expect(begun).toBe(true), { timeout: 5_000 })
    await jobs.stop()
    expect(ended).toBe(true)
  })
})
