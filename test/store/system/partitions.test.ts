import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest'
import { describePostgres } from '../../support/postgres.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { at, attestationOf, newDeviceId } from '../fixtures.ts'

/** Making and dropping partitions while others use the tables. */
describePostgres('partitions on PostgreSQL', () => {
  let database: TestDatabase
  /** A connection that can hold a transaction open. */
  let other: pg.Client

  beforeAll(async () => {
    database = await openTestDatabase()
    const [row] = await database.query('select current_database() as name')
    const url = new URL(inject('postgres')?.url ?? '')
    url.pathname = `/${row?.name}`
    other = new pg.Client(url.href)
    await other.connect()
  })
  afterAll(async () => {
    await other?.end()
    await database?.close()
  })

  const keep = (now: Date, before = new Date(0)) =>
    database.store.keepPartitions({ table: 'attestation', before, now })
  const recordAt = (now: Date) => {
    const seconds = (now.getTime() - at(0).getTime()) / 1000
    return database.store.recordAttestation(attestationOf({ deviceId: newDeviceId(), at: seconds }))
  }
  const tables = async () => {
    const rows = await database.query(
      `select relname as name from pg_class where relkind = 'r' and relname like 'attestation\\_2%'
       order by 1`,
    )
    return rows.map(({ name }) => name)
  }

  test('refuse nobody who writes while the partition is made that the rows belong to', async () => {
    for (let month = 1; month <= 6; month++) {
      const now = new Date(`2051-0${month}-05T00:00:00Z`)
      const recordings = Array.from({ length: 30 }, () => recordAt(now))
      const [kept, ...answers] = await Promise.all([keep(now), ...recordings])
      expect(kept.missing).toBe(0)
      for (const { outcome } of answers) expect(outcome).toBe('recorded')
    }
  })

  test('wait for nobody long, so that nobody waits for them: the next run does it', async () => {
    const now = new Date('2052-01-05T00:00:00Z')
    await keep(now)
    const before = await tables()
    await other.query('begin')
    await other.query('select count(*) from attestation')
    const later = new Date('2052-06-05T00:00:00Z')
    expect(await keep(later, new Date('2052-05-01T00:00:00Z'))).toMatchObject({
      ...{ made: 0, dropped: null, missing: 3, isLate: false },
      fault: 'canceling statement due to lock timeout',
    })
    expect((await recordAt(later)).outcome).toBe('recorded')
    expect(await tables()).toEqual(before)
    await other.query('commit')
    const oldest = before[0]
    expect(await keep(later, new Date('2052-05-01T00:00:00Z'))).toMatchObject({
      ...{ made: 3, missing: 0, dropped: oldest, isLate: true },
    })
  })

  test('are whole or not there when the process that makes them is killed in between', async () => {
    const before = await tables()
    await other.query(`create function die() returns event_trigger language plpgsql as
      $$ begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(60); end $$`)
    await other.query(`create event trigger die on ddl_command_end when tag in ('CREATE TABLE')
      execute function die()`)
    const now = new Date('2053-01-05T00:00:00Z')
    await expect(keep(now)).rejects.toMatchObject({ name: 'StoreError', code: '57P01' })
    expect(await tables()).toEqual(before)
    await other.query('drop event trigger die')
    // The killed process keeps its lock until PostgreSQL has put it away: meanwhile it is another's work.
    await vi.waitFor(async () => {
      expect(await keep(now)).toMatchObject({ made: 3, missing: 0, isLate: false })
    }, 10_000)
  })
})
