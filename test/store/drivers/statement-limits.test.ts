import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openLimitedPool } from '../../../src/store/drivers/limited-pool.ts'
import { openPostgresStore } from '../../../src/store/drivers/postgres.ts'
import {
  STATEMENT_LIMITS,
  STORE_USES,
  shareConnections,
} from '../../../src/store/drivers/statement-limits.ts'
import { type StoreFault, storeFaultOf } from '../../../src/store/store-error.ts'
import { describePgBouncer, type PgBouncer, startPgBouncer } from '../../support/pgbouncer.ts'
import {
  describePostgres,
  FORGETFUL,
  type Postgres,
  startPostgres,
} from '../../support/postgres.ts'
import { newDeviceId } from '../fixtures.ts'

/** Codes and activity are PostgreSQL's own: what it says it ended, and what it says still runs. */
const LIMITS = { statementMs: 600, lockMs: 200, answerMs: 5000 }

test('each use has a connection, and together they have as many as there are', () => {
  for (const total of [5, 9, 10, 100]) {
    const { administration, ...others } = shareConnections(total)
    expect(administration).toBeGreaterThanOrEqual(2)
    const shares = [administration, ...Object.values(others)]
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(1)
    expect(shares.reduce((sum, share) => sum + share, 0)).toBe(total)
  }
})

test('the server ends a statement before its client gives up, and a wait for a lock before that', () => {
  for (const use of STORE_USES) {
    const { lockMs, statementMs, answerMs } = STATEMENT_LIMITS[use]
    expect(lockMs).toBeLessThan(statementMs)
    expect(statementMs).toBeLessThan(answerMs)
  }
})

describePostgres('statements on connections of their own', () => {
  let server: Postgres
  beforeAll(async () => {
    server = await startPostgres({ settings: { ...FORGETFUL, max_connections: '20' } })
  })
  afterAll(() => server?.stop())

  describe('limits', () => limitsHold(() => ({ url: server.url, server, pooled: false })))

  test('a use that is blocked keeps no other one from its connections', async () => {
    const url = await server.createMigrated('blocked')
    const store = openPostgresStore({ url, poolSize: 4 })
    const locker = new pg.Client({ connectionString: url })
    await locker.connect()
    await locker.query('begin; lock table client in access exclusive mode')
    const blocked = store.forUse('jobs').findClient('nobody')
    const alsoBlocked = store.forUse('administration').findClient('nobody')
    const settled = Promise.allSettled([blocked, alsoBlocked])
    expect((await store.forUse('decisions').trustRecord(newDeviceId())).record).toBeNull()
    await store.forUse('recordings').ping()
    await locker.query('rollback')
    await settled
    await locker.end()
    await store.close()
  })

  test('what a client gave up does not go on in the server', async () => {
    const limits = { ...LIMITS, answerMs: 100 }
    const pool = openLimitedPool({ url: server.url, most: 2, limits, pooled: false })
    const given = await Promise.allSettled([1, 2].map(() => pool.query(sleep(20), [])))
    expect(given.map(faultOf)).toEqual(['timeout', 'timeout'])
    await expect.poll(() => running(server), { timeout: 5000 }).toBe(0)
    await pool.close()
  })

  test('more than can wait are refused at once', async () => {
    const pool = openLimitedPool({ url: server.url, most: 1, limits: LIMITS, pooled: false })
    const asked = await Promise.allSettled(
      Array.from({ length: 700 }, () => pool.query({ text: 'select pg_sleep(0.001)' }, [])),
    )
    const faults = asked.map(faultOf)
    expect(faults.filter((fault) => fault === 'queue_full').length).toBeGreaterThan(100)
    expect(faults.filter((fault) => fault === undefined).length).toBeGreaterThan(200)
    await pool.close()
  })

  test('every way in which a server is away for a while is told from every other error', async () => {
    const faults: Partial<Record<string, StoreFault | undefined>> = {}
    const of = async (name: string, run: () => Promise<unknown>) => {
      faults[name] = await run().then(() => undefined, storeFaultOf)
    }
    const admin = new pg.Client({ connectionString: server.url })
    admin.on('error', () => {})
    await admin.connect()
    await of('syntax', () => admin.query('selec'))
    await of('missing table', () => admin.query('select from nothing_there'))
    await of('no such database', () => connectOnce(server.url.replace(/postgres$/, 'nowhere')))
    await of('ended by an administrator', () =>
      admin.query('select pg_terminate_backend(pg_backend_pid())'),
    )
    const crowd = Array.from({ length: 25 }, () => new pg.Client({ connectionString: server.url }))
    const crowded = await Promise.allSettled(
      crowd.map((one) => one.on('error', () => {}).connect()),
    )
    faults['too many clients'] = crowded.map(faultOf).find((fault) => fault !== undefined)
    await Promise.allSettled(crowd.map((one) => one.end()))
    await of('nobody listens', () => connectOnce('postgres://nobody@127.0.0.1:1/nothing'))
    await of('no such host', () => connectOnce('postgres://nobody@name.invalid/nothing'))
    expect(faults).toEqual({
      syntax: undefined,
      'missing table': undefined,
      'no such database': undefined,
      'ended by an administrator': 'connection',
      'too many clients': 'too_many',
      'nobody listens': 'connection',
      'no such host': 'connection',
    })
  })

  test('two that wait for each other: the one that PostgreSQL ends may come again', async () => {
    const [one, two] = await Promise.all(
      [1, 2].map(async () => {
        const client = new pg.Client({ connectionString: server.url })
        await client.connect()
        return client
      }),
    )
    if (one === undefined || two === undefined) throw new TypeError('there are two')
    await one.query('begin; select pg_advisory_xact_lock(1)')
    await two.query('begin; select pg_advisory_xact_lock(2)')
    const answers = await Promise.allSettled([
      one.query('select pg_advisory_xact_lock(2)'),
      two.query('select pg_advisory_xact_lock(1)').finally(() => two.query('rollback')),
      one.query('rollback'),
    ])
    expect(answers.map(faultOf)).toContain('lock')
    await Promise.all([one.end(), two.end()])
  })
})

describePgBouncer('statements through a pooler in transaction mode', () => {
  let server: Postgres
  let bouncer: PgBouncer
  beforeAll(async () => {
    server = await startPostgres()
    bouncer = await startPgBouncer(server.url)
  })
  afterAll(async () => {
    await bouncer?.stop()
    await server?.stop()
  })

  describe('limits', () =>
    limitsHold(() => ({ url: bouncer.urlOf('postgres'), server, pooled: true })))

  test('limits end with the statement that brought them', async () => {
    const url = bouncer.urlOf('postgres')
    const pool = openLimitedPool({ url, most: 3, limits: LIMITS, pooled: true })
    const shown = await Promise.all(
      Array.from({ length: 20 }, () =>
        pool.query({ text: "select current_setting('statement_timeout') as ms" }, []),
      ),
    )
    expect(new Set(shown.map(({ rows }) => rows[0]?.ms))).toEqual(new Set(['600ms']))
    const plain = new pg.Pool({ connectionString: url, max: 10 })
    const after = await Promise.all(
      Array.from({ length: 20 }, () => plain.query('show statement_timeout')),
    )
    expect(new Set(after.map(({ rows }) => rows[0]?.statement_timeout))).toEqual(new Set(['0']))
    await plain.end()
    await pool.close()
  })

  test('a pooler that came later costs no statement', async () => {
    const url = bouncer.urlOf('postgres')
    const pool = openLimitedPool({ url, most: 3, limits: LIMITS, pooled: false })
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => pool.query({ text: 'select $1::int as n' }, [n])),
    )
    expect(answers.map(({ rows }) => rows[0]?.n)).toEqual(Array.from({ length: 10 }, (_, n) => n))
    await pool.close()
  })
})

function limitsHold(
  place: () => { readonly url: string; readonly server: Postgres; readonly pooled: boolean },
): void {
  const open = () => openLimitedPool({ ...place(), most: 2, limits: LIMITS })

  test('a statement that runs long is ended by the server, and the next one counts anew', async () => {
    const pool = open()
    const ended = await Promise.allSettled([pool.query(sleep(20), [])])
    expect(ended.map(faultOf)).toEqual(['timeout'])
    expect(ended[0]).toMatchObject({ reason: { code: '57014' } })
    expect(await running(place().server)).toBe(0)
    for (let time = 0; time < 4; time++) await pool.query(sleep(0.25), [])
    await pool.close()
  })

  test('a statement that waits for a lock is ended by the server', async () => {
    const locker = new pg.Client({ connectionString: place().server.url })
    await locker.connect()
    await locker.query('select pg_advisory_lock(77)')
    const pool = open()
    const text = 'select pg_advisory_xact_lock($1)'
    const ended = await Promise.allSettled([pool.query({ text }, [77])])
    expect(ended.map(faultOf)).toEqual(['lock'])
    expect(ended[0]).toMatchObject({ reason: { code: '55P03' } })
    await locker.end()
    await pool.close()
  })

  test('values, arrays of columns and errors come back as from any other statement', async () => {
    const pool = open()
    const text = 'select $1::int as one, $2::text as two'
    const rows = await pool.query({ text }, [1, 'b'])
    expect(rows.rows).toEqual([{ one: 1, two: 'b' }])
    const arrays = await pool.query({ text, rowMode: 'array' } as pg.QueryConfig, [1, 'b'])
    expect(arrays.rows).toEqual([[1, 'b']])
    expect((await pool.query({ text: 'select 1 where false' }, [])).rows).toEqual([])
    await expect(pool.query({ text: 'select 1/0' }, [])).rejects.toMatchObject({ code: '22012' })
    expect((await pool.query({ text }, [2, 'c'])).rows).toEqual([{ one: 2, two: 'c' }])
    await pool.close()
  })
}

function sleep(seconds: number): pg.QueryConfig {
  return { text: `select pg_sleep(${seconds})` }
}

function faultOf(settled: PromiseSettledResult<unknown>): StoreFault | undefined {
  return settled.status === 'rejected' ? storeFaultOf(settled.reason) : undefined
}

async function running({ url }: Postgres): Promise<number> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ n: number }>(
    "select count(*)::int as n from pg_stat_activity where state = 'active' and query like '%pg_sleep(20)%' and pid <> pg_backend_pid()",
  )
  await client.end()
  return rows[0]?.n ?? 0
}

async function connectOnce(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  await client.end()
}
