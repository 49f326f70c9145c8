import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type HyperdriveStore, openHyperdriveStore } from '../../../src/store/drivers/hyperdrive.ts'
import type { Store } from '../../../src/store/store.ts'
import { StoreError } from '../../../src/store/store-error.ts'
import {
  describePostgres,
  FORGETFUL,
  type Postgres,
  startPostgres,
} from '../../support/postgres.ts'
import { storeContract } from '../contract.ts'
import { newDeviceId } from '../fixtures.ts'

describePostgres('store with a connection for each request', () => {
  let server: Postgres
  let url: string
  let admin: pg.Client

  beforeAll(async () => {
    server = await startPostgres({ settings: { ...FORGETFUL, log_min_duration_statement: '0' } })
    url = await server.createMigrated('edge')
    admin = new pg.Client({ connectionString: server.url })
    await admin.connect()
  })
  afterAll(async () => {
    await admin?.end()
    await server?.stop()
  })

  const connections = async () => {
    const { rows } = await admin.query<{ pid: number }>(
      "select pid from pg_stat_activity where application_name = 'countersign'",
    )
    return rows.map(({ pid }) => pid)
  }

  storeContract(async () => {
    const contractUrl = await server.createMigrated('contract')
    const pool = new pg.Pool({ connectionString: contractUrl, max: 2 })
    return {
      store: connectEachCall(openHyperdriveStore(contractUrl)),
      query: async (text: string) => (await pool.query<Record<string, unknown>>(text)).rows,
      close: () => pool.end(),
    }
  })

  test('all statements of a request share one connection, which ends with it', async () => {
    const database = openHyperdriveStore(url)
    const { store } = database
    const seen = await request(database, async () => {
      await Promise.all([store.ping(), store.trustRecord(newDeviceId()), store.findClient('a')])
      await store.ping()
      return connections()
    })
    expect(seen).toHaveLength(1)
    await expect.poll(connections).toEqual([])
  })

  test('requests at the same time have a connection each', async () => {
    const database = openHyperdriveStore(url)
    const { store } = database
    const both = Promise.withResolvers<readonly number[]>()
    let connected = 0
    const one = async () => {
      await store.ping()
      connected += 1
      if (connected === 2) both.resolve(await connections())
      return both.promise
    }
    await Promise.all([request(database, one), request(database, one)])
    expect(await both.promise).toHaveLength(2)
  })

  test('a request that asks nothing connects to nothing', async () => {
    const answer = await request(openHyperdriveStore(url), () => Promise.resolve('done'))
    expect(answer).toBe('done')
    expect(await connections()).toEqual([])
  })

  test('statements are prepared under their names', async () => {
    const database = openHyperdriveStore(url)
    await request(database, () => database.store.trustRecord(newDeviceId()))
    expect(server.log()).toContain('execute trust_record:')
  })

  test('a statement outside of every request is refused', async () => {
    const { store } = openHyperdriveStore(url)
    await expect(store.ping()).rejects.toThrow('a statement outside of every request')
  })

  test('a connection that breaks fails its request and no other one', async () => {
    const database = openHyperdriveStore(url)
    const { store } = database
    const broken = request(database, async () => {
      await store.ping()
      for (const pid of await connections())
        await admin.query('select pg_terminate_backend($1)', [pid])
      await store.ping()
    })
    await expect(broken).rejects.toThrow(StoreError)
    await request(database, () => store.ping())
  })

  test('a failed statement leaves the connection to the next one', async () => {
    const database = openHyperdriveStore(await server.createDatabase('unmigrated'))
    const { store } = database
    await request(database, async () => {
      await expect(store.trustRecord(newDeviceId())).rejects.toThrow(StoreError)
      await store.ping()
    })
  })

  test('a database that is not there is a fault of the store', async () => {
    const database = openHyperdriveStore('postgres://nobody@127.0.0.1:1/nothing')
    const failed = request(database, async () => {
      await expect(database.store.findClient('a')).rejects.toThrow(StoreError)
      await database.store.ping()
    })
    await expect(failed).rejects.toMatchObject({ name: 'StoreError' })
  })

  test('whether the role has limits of its own is found, as the edge page sets them', async () => {
    const database = openHyperdriveStore(await server.createDatabase('limited'))
    expect(await request(database, database.hasLimits)).toBe(false)
    await admin.query('create role edge_role login superuser')
    const pattern = /^alter role countersign in database countersign .*$/gm
    const page = readFileSync('docs/edge.md', 'utf8')
    for (const [line] of page.matchAll(pattern)) {
      await admin.query(
        line.replace(
          'role countersign in database countersign',
          'role edge_role in database limited',
        ),
      )
    }
    const as = Object.assign(new URL(server.url), { username: 'edge_role', pathname: '/limited' })
    const limited = openHyperdriveStore(as.href)
    expect(await request(limited, limited.hasLimits)).toBe(true)
  })

  test('an address that answers nothing is given up', { timeout: 20_000 }, async () => {
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const address = silent.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const database = openHyperdriveStore(`postgres://nobody@127.0.0.1:${port}/nothing`)
    const closings: Promise<void>[] = []
    const failed = database.withConnection(database.store.ping, (one) => closings.push(one))
    await expect(failed).rejects.toThrow(/timeout/)
    await Promise.all(closings)
    silent.close()
  })
})

/** A request that waits until its connection is closed, unlike those of the Worker. */
async function request<T>(database: HyperdriveStore, work: () => Promise<T>): Promise<T> {
  let closing: Promise<void> | undefined
  try {
    return await database.withConnection(work, (one) => {
      closing = one
    })
  } finally {
    await closing
  }
}

/** The store with every call in a request of its own. */
function connectEachCall(database: HyperdriveStore): Store {
  const { store } = database
  const calls = Object.entries(store).map(([name, value]) => {
    if (typeof value !== 'function') return [name, value]
    const call = value as (...args: readonly unknown[]) => Promise<unknown>
    return [name, (...args: readonly unknown[]) => request(database, () => call(...args))]
  })
  return Object.fromEntries(calls) as Store
}
