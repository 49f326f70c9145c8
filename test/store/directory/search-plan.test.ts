import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { prepareEntities } from '../../../src/store/directory/entities.ts'
import type { Queryable } from '../../../src/store/drivers/statement-names.ts'
import { describePostgres } from '../../support/postgres.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

const ENTITIES = 1_000_000

/**
 * What a page of a search reads of a million entities of one type, by PostgreSQL's own count of the rows
 * that it looked at (`EXPLAIN ANALYZE`).
 */
describePostgres('a million entities of one type', () => {
  let database: TestDatabase
  let client: pg.Client
  beforeAll(async () => {
    database = await openTestDatabase()
    const [row] = await database.query('select current_database() as name')
    const url = new URL(inject('postgres')?.url ?? '')
    client = new pg.Client({
      connectionString: Object.assign(url, { pathname: `/${row?.name}` }).href,
    })
    await client.connect()
    await client.query(`insert into entity (kind, type, id, properties, source, updated_at)
      select 'subject', 'user', lpad(i::text, 8, '0'), '{}', 'test', now()
      from generate_series(1, ${ENTITIES}) as i`)
    await client.query('analyze entity')
  }, 300_000)
  afterAll(async () => {
    await client?.end()
    await database?.close()
  })

  type Plan = {
    readonly 'Node Type': string
    readonly 'Actual Rows': number
    readonly 'Actual Loops': number
    readonly 'Rows Removed by Filter'?: number
    readonly Plans?: readonly Plan[]
  }

  function looked({ Plans: inner = [], ...plan }: Plan): number {
    const own = plan['Node Type'].includes('Scan') ? plan['Actual Rows'] * plan['Actual Loops'] : 0
    return inner.reduce(
      (sum, one) => sum + looked(one),
      own + (plan['Rows Removed by Filter'] ?? 0),
    )
  }

  /** Rows that the statement looked at which the store really sends. */
  async function cost(run: (store: ReturnType<typeof prepareEntities>) => Promise<unknown>) {
    let plan: Plan | undefined
    const explaining: Queryable = {
      async query({ text, ...config }, values) {
        const explain = `explain (analyze, format json) ${text}`
        const { rows } = await client.query({ text: explain, values })
        plan = rows[0]['QUERY PLAN'][0].Plan
        return client.query({ ...config, text }, values)
      },
    }
    await run(prepareEntities(drizzle({ client: explaining as never })))
    if (plan === undefined) throw new TypeError('nothing was explained')
    return looked(plan)
  }

  test.each(['', '00000100', '00500000', '00999990'])(
    'are read a page behind %j, and no more',
    async (id) => {
      const after = { kind: 'subject', type: 'user', id } as const
      const rows = await cost((store) =>
        store.entityPage({ kind: 'subject', type: 'user', after, limit: 200 }),
      )
      expect(rows).toBeLessThanOrEqual(200)
    },
  )

  test('are looked up one by one, by the key', async () => {
    const names = ['00000001', '00999999', 'nobody'].map((id) => {
      return { kind: 'subject', type: 'user', id } as const
    })
    // The names that are asked for are rows of the plan, too.
    expect(await cost((store) => store.directoryEntries(names))).toBeLessThanOrEqual(10)
  })
})
