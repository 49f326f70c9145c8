import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openHyperdriveStore } from '../../../src/store/drivers/hyperdrive.ts'
import { type DatabaseNotice, openStore } from '../../../src/store/drivers/open-store.ts'
import { openPostgresStore } from '../../../src/store/drivers/postgres.ts'
import type { Store } from '../../../src/store/store.ts'
import { StoreError } from '../../../src/store/store-error.ts'
import { type MigrationStep, migratePostgres } from '../../../src/store/system/migrate.ts'
import { describePgBouncer, type PgBouncer, startPgBouncer } from '../../support/pgbouncer.ts'
import { FORGETFUL, type Postgres, startPostgres } from '../../support/postgres.ts'
import { restoreBefore } from '../../upgrade/restore-before.ts'
import { storeContract } from '../contract.ts'
import { newDeviceId } from '../fixtures.ts'

/** The witness is Debian's PgBouncer in transaction mode, three connections behind it. */
describePgBouncer('store behind a pooler of transactions', () => {
  let server: Postgres
  let bouncer: PgBouncer

  beforeAll(async () => {
    server = await startPostgres({ settings: FORGETFUL })
    bouncer = await startPgBouncer(server.url)
  })
  afterAll(async () => {
    await bouncer?.stop()
    await server?.stop()
  })

  /** A migrated database, through the pooler. */
  const migrated = async (name: string) => {
    await server.createMigrated(name)
    return bouncer.urlOf(name)
  }

  /** Of 240 reads, twenty-four at a time, how many fail because a name is not known. */
  const countNameFaults = async (store: Store) => {
    let faults = 0
    for (let round = 0; round < 10; round++) {
      const reads = Array.from({ length: 24 }, (_, index) =>
        index % 2 === 0 ? store.findClient(`cli_${index}`) : store.trustRecord(newDeviceId()),
      )
      for (const { status } of await Promise.allSettled(reads)) if (status === 'rejected') faults++
    }
    return faults
  }

  describe('found at the start', () => {
    storeContract(async () => {
      const url = await migrated('contract')
      const pool = new pg.Pool({ connectionString: url, max: 2 })
      const store = await openStore({ kind: 'postgres', url, poolSize: 16 })
      return {
        store,
        query: async (text: string) => (await pool.query<Record<string, unknown>>(text)).rows,
        async close() {
          await pool.end()
          await store.close()
        },
      }
    })

    test('is told of once, unless it was expected; a direct connection is not taken for one', async () => {
      const url = await migrated('told')
      const direct = new URL(server.url)
      direct.pathname = '/told'
      const noticesOf = async (place: { url: string; prepared?: 'auto' | 'off' }) => {
        const notices: DatabaseNotice[] = []
        const store = await openStore({ kind: 'postgres', poolSize: 8, ...place }, (notice) =>
          notices.push(notice),
        )
        expect(await countNameFaults(store)).toBe(0)
        await store.close()
        return notices
      }
      expect(await noticesOf({ url })).toEqual(['database_pooler_found'])
      expect(await noticesOf({ url, prepared: 'off' })).toEqual([])
      expect(await noticesOf({ url: direct.toString() })).toEqual([])
    })
  })

  test('that comes later costs no request: a name that is missed is sent again without', async () => {
    const url = await migrated('later')
    let told = 0
    const onNamesLost = () => {
      told += 1
    }
    const store = openPostgresStore({ url, poolSize: 40, prepared: true, onNamesLost })
    expect(await countNameFaults(store)).toBe(0)
    expect(told).toBe(1)
    await store.close()
  })

  test('serves requests that bring a connection each', async () => {
    const url = await migrated('each')
    const { store, withConnection } = openHyperdriveStore(url, { prepared: false })
    const reads = Array.from({ length: 60 }, () =>
      withConnection(
        () => store.trustRecord(newDeviceId()),
        () => {},
      ),
    )
    for (const { record } of await Promise.all(reads)) expect(record).toBeNull()
  })

  test('lets one of several migrations happen and the others wait for it', async () => {
    await server.createDatabase('race')
    const url = bouncer.urlOf('race')
    const applied = await Promise.all(Array.from({ length: 3 }, () => migratePostgres(url)))
    expect(applied.filter((names) => names.length > 0)).toHaveLength(1)
  })

  test('builds the indexes of a database that is there in one transaction, and says so', async () => {
    await restoreBefore(server, 'pooled')
    const steps: MigrationStep[] = []
    const applied = await migratePostgres(bouncer.urlOf('pooled'), (step) => steps.push(step))
    expect(applied.length).toBeGreaterThan(1)
    expect(steps).toEqual([{ kind: 'pooled', indexes: expect.any(Number) }])
    expect(await migratePostgres(bouncer.urlOf('pooled'))).toEqual([])
  })

  test('that is gone is a fault like any other', async () => {
    const other = await startPgBouncer(server.url)
    const url = await migrated('gone')
    const through = new URL(url)
    through.port = new URL(other.urlOf('gone')).port
    const store = openPostgresStore({ url: through.toString(), poolSize: 2, prepared: false })
    await store.ping()
    await other.stop()
    await expect(store.ping()).rejects.toThrow(StoreError)
    await store.close()
  })
})
