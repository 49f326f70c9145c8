import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describePostgres } from '../support/postgres.ts'
import { expectOk } from '../support/refusal.ts'
import {
  ask,
  expectNothingLost,
  obtainSubmissions,
  POOL_SIZE,
  startTwoProcesses,
  type TwoProcesses,
  underLoad,
} from './two-processes.ts'

const TIMEOUT_MS = 120_000
/** Longer than anything waits for the database here (serving-process.ts). */
const FAULT_MS = 4000
const MANY = 300

/**
 * Faults of a real PostgreSQL under two processes of the service. What the database has in the end
 * says the database, past the service; how many statements it is left with says pg_stat_activity.
 */
describePostgres('two processes whose database fails under load', () => {
  let world: TwoProcesses

  beforeAll(async () => {
    world = await startTwoProcesses()
  }, TIMEOUT_MS)
  afterAll(() => world?.close())

  const session = async () => {
    const client = new pg.Client({ connectionString: world.databaseUrl })
    client.on('error', () => {})
    await client.connect()
    return client
  }
  const backends = async () => {
    const [row] = await world.query(
      "select count(*)::int as n from pg_stat_activity where application_name = 'countersign'",
    )
    return Number(row?.n)
  }
  const deviceIds = () => world.agents.map(({ device }) => device.deviceId)

  test('restarted at once: nothing acknowledged is lost', { timeout: TIMEOUT_MS }, async () => {
    const traffic = await underLoad(world, async () => {
      await world.server.kill()
      await world.server.restart()
    })
    expect(traffic.later).toBeGreaterThan(0)
    await expectNothingLost(world, traffic)
  })

  test('away: asked to come later, devices do, and a line a second tells of it', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const traffic = await underLoad(world, async () => {
      await world.server.kill()
      await pause(FAULT_MS)
      await world.server.restart()
    })
    expect(traffic.later).toBeGreaterThan(10)
    await expectNothingLost(world, traffic)
    for (const { lines } of world.processes) {
      const told = lines().filter(({ event }) => event === 'database_unavailable')
      const seconds = told.map(({ time, kind }) => `${String(time).slice(0, 19)} ${kind}`)
      expect(new Set(seconds).size).toBe(seconds.length)
      expect(told.some(({ left_out: leftOut }) => Number(leftOut) > 0)).toBe(true)
      expect(lines().filter(({ event }) => event === 'fault')).toEqual([])
    }
  })

  test('hung: callers are answered, and nothing is left running in the server', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const patients = world.agents.slice(2)
    const others = { ...world, agents: world.agents.slice(0, 2) }
    const traffic = await underLoad(others, async (seen) => {
      const prepared = await Promise.all(patients.map((one) => obtainSubmissions(one, 1)))
      world.server.suspend()
      // What reached the server is recorded when it goes on, and nobody is there to be told.
      const handedIn = patients.flatMap((one, index) =>
        (prepared[index] ?? []).map((submission) => one.submitToken(submission)),
      )
      await pause(FAULT_MS)
      world.server.resume()
      for (const one of handedIn) seen.acknowledged.push(expectOk(await one).attestation_id)
    })
    expect(traffic.later).toBeGreaterThan(0)
    await expectNothingLost(world, traffic)
    await expect.poll(backends, { timeout: 10_000 }).toBeLessThanOrEqual(2 * POOL_SIZE)
  })

  test('whose connections are ended, again and again', { timeout: TIMEOUT_MS }, async () => {
    const traffic = await underLoad(world, async () => {
      for (let time = 0; time < 10; time++) {
        await world.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where application_name = 'countersign'`,
        )
        await pause(100)
      }
    })
    expect(traffic.later).toBeGreaterThan(0)
    await expectNothingLost(world, traffic)
  })

  test('with one row locked and ten submissions for it: other devices are answered as ever', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const [patient] = world.agents
    if (patient === undefined) throw new TypeError('there are devices')
    const others = deviceIds().slice(1)
    const traffic = await underLoad({ ...world, agents: world.agents.slice(1) }, async (seen) => {
      const submissions = await obtainSubmissions(patient, 10)
      const locker = await session()
      await locker.query('begin')
      const text = 'select from device where device_id = $1 for update'
      await locker.query(text, [patient.device.deviceId])
      const handedIn = submissions.map((one) => patient.submitToken(one))
      const over = AbortSignal.timeout(FAULT_MS)
      let asked = 0
      while (!over.aborted) {
        for (const url of world.urls) {
          for (const id of others) expect(await ask(world, { url, id })).toBe('granted')
        }
        asked += 1
        expect(await backends()).toBeLessThanOrEqual(2 * POOL_SIZE)
      }
      expect(asked).toBeGreaterThan(3)
      await locker.query('rollback')
      await locker.end()
      for (const one of await Promise.all(handedIn)) {
        seen.acknowledged.push(expectOk(one).attestation_id)
      }
    })
    expect(traffic.later).toBe(0)
    await expectNothingLost(world, traffic)
  })

  test('with hundreds of rows locked: decisions go on, submissions come later', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const [first] = deviceIds()
    await world.query(
      `insert into device select (jsonb_populate_record(d,
         jsonb_build_object('device_id', 'dev_copy' || n))).*
       from device d, generate_series(1, ${MANY}) n where device_id = '${first}'`,
    )
    const traffic = await underLoad(world, async () => {
      const locker = await session()
      await locker.query('begin')
      const { rowCount } = await locker.query('select from device for update')
      expect(rowCount).toBeGreaterThan(MANY)
      const over = AbortSignal.timeout(FAULT_MS)
      while (!over.aborted) {
        const copy = `dev_copy${1 + Math.floor(Math.random() * MANY)}`
        for (const url of world.urls) {
          expect(await ask(world, { url, id: copy })).toBe('granted')
        }
        expect(await backends()).toBeLessThanOrEqual(2 * POOL_SIZE)
      }
      await locker.query('rollback')
      await locker.end()
    })
    await world.query("delete from device where device_id like 'dev_copy%'")
    expect(traffic.later).toBe(0)
    await expectNothingLost(world, traffic)
  })

  test('with a table that waits to be altered, behind a long read: asked to come later', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const traffic = await underLoad(world, async () => {
      const reader = await session()
      await reader.query('begin')
      await reader.query('select count(*) from device')
      const migrator = await session()
      const altered = migrator.query('alter table device add column of_a_test integer')
      await pause(FAULT_MS)
      expect(await backends()).toBeLessThanOrEqual(2 * POOL_SIZE)
      await reader.query('commit')
      await altered
      await migrator.query('alter table device drop column of_a_test')
      await migrator.end()
      await reader.end()
    })
    expect(traffic.later).toBeGreaterThan(0)
    await expectNothingLost(world, traffic)
  })

  test('what waited for the database is told in numbers of each kind', async () => {
    const kinds = new Set<string>()
    for (const url of world.urls) {
      const metrics = await (await fetch(`${url}/metrics`)).text()
      const found = metrics.matchAll(/countersign_store_faults_total\{kind="(\w+)"\} [1-9]/g)
      for (const [, kind = ''] of found) kinds.add(kind)
    }
    expect([...kinds]).toEqual(expect.arrayContaining(['connection', 'timeout', 'lock']))
  })
})
