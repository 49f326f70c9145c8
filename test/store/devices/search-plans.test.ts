import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { CANDIDATES_MOST, prepareDeviceReads } from '../../../src/store/devices/device-reads.ts'
import type { DeviceFilter } from '../../../src/store/devices/device-search.ts'
import { prepareFoundRecordReads } from '../../../src/store/devices/found-records.ts'
import type { Database } from '../../../src/store/drivers/database.ts'
import type { Queryable } from '../../../src/store/drivers/statement-names.ts'
import { describePostgres } from '../../support/postgres.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

const DEVICES = 40_000
/** One in so many devices has each rare thing. */
const RARE = 2000

/**
 * What finding devices costs, by PostgreSQL's own count of the rows that it looked at (`EXPLAIN ANALYZE`)
 * in a fleet of which each filter finds a few devices.
 */
describePostgres('finding devices', () => {
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
    await client.query(`insert into device (device_id, key_kind, device_key_hash, enrolment, ring, owner,
        owner_folded, name_folded, serial_folded, entra_device_id_folded, labels_folded, unmet,
        announced_verdict, attestation_id, attested_at, valid_until, issuer, policy_hash,
        confirmation_key, claims, verdict, reasons, seen_on, created_at, updated_at)
      select 'dev_' || md5(i::text), 'aik', 'hash', case when r then 'pending' else 'admitted' end,
        case when r then 7 else 1 end,
        'owner', 'owner ' || i, 'name ' || i, 'serial ' || i, 'entra ' || i,
        case when r then '{common,rare}'::text[] else '{common}' end,
        case when r then '{everywhere,seldom}'::text[] else '{everywhere}' end,
        case when r then 'untrusted' else 'trusted' end, 'att', t, t + interval '8 hours',
        case when r then 'https://rare.example' else 'https://common.example' end, 'policy', 'key',
        '{}', 'trusted', '[]', t::date, t, t
      from (select i, i % ${RARE} = 0 as r, timestamptz '2026-03-01 12:00Z'
        - case when i % ${RARE} = 0 then interval '90 days' else interval '0' end as t
        from generate_series(1, ${DEVICES}) as i) as made`)
    await client.query('analyze device')
  }, 120_000)
  afterAll(async () => {
    await client?.end()
    await database?.close()
  })

  type Plan = {
    readonly 'Node Type': string
    readonly 'Actual Rows': number
    readonly 'Rows Removed by Filter'?: number
    readonly 'Rows Removed by Index Recheck'?: number
    readonly Plans?: readonly Plan[]
  }

  /** Rows that scans have looked at. */
  function looked({ Plans: inner = [], ...plan }: Plan): number {
    const own = plan['Node Type'].includes('Scan') ? plan['Actual Rows'] : 0
    const removed =
      (plan['Rows Removed by Filter'] ?? 0) + (plan['Rows Removed by Index Recheck'] ?? 0)
    return inner.reduce((sum, one) => sum + looked(one), own + removed)
  }

  /** Runs `ask` over a database that explains each statement that it is sent; of the last one the plan. */
  async function explain<T>(ask: (db: Database) => Promise<T>): Promise<{ answer: T; plan: Plan }> {
    let plan: Plan | undefined
    const explaining: Queryable = {
      async query({ text, ...config }, values) {
        const answer = await client.query({ ...config, text }, values)
        // Drizzle asks for rows as arrays; the plan is one document.
        const explained = await client.query(`explain (analyze, format json) ${text}`, values)
        plan = explained.rows[0]['QUERY PLAN'][0].Plan
        return answer
      },
    }
    const answer = await ask(drizzle(explaining as pg.Client))
    return { answer, plan: plan ?? expect.unreachable() }
  }

  /** The statement that the store really sends, explained. */
  async function cost(filter: DeviceFilter): Promise<{ found: number; looked: number }> {
    const { answer, plan } = await explain((db) =>
      prepareDeviceReads(db).listDevices({ ...filter, limit: 50 }),
    )
    return { found: answer.devices.length, looked: looked(plan) }
  }

  test.each(['owner', 'serial'] as const)(
    'by %s for a decision costs what is found',
    async (by) => {
      const texts = Array.from({ length: 100 }, (_, n) => `${by} ${n + 1}`)
      const { answer, plan } = await explain((db) =>
        prepareFoundRecordReads(db, database.store).findTrustRecords({ by, texts, most: 200 }),
      )
      expect(answer.found).toHaveLength(100)
      // Each once in the index and once in the table.
      expect(looked(plan)).toBeLessThanOrEqual(210)
    },
  )

  const few = DEVICES / RARE
  test.each<readonly [string, DeviceFilter, number]>([
    ['a clause', { clause: 'seldom' }, few],
    ['some clause of several', { anyClause: ['seldom', 'never'] }, few],
    ['a clause that nearly all fail', { clause: 'everywhere' }, 50],
    ['a label', { labels: ['rare'] }, few],
    ['a label that nearly all have', { labels: ['common'] }, 50],
    ['a label and a clause', { labels: ['common'], clause: 'seldom' }, few],
    ['a verdict', { verdict: 'untrusted' }, few],
    ['a verdict that nearly all have', { verdict: 'trusted' }, 50],
    ['an enrolment', { enrolment: 'pending' }, few],
    ['an owner', { owner: 'Owner 77' }, 1],
    ['a verifier', { issuer: 'https://rare.example' }, few],
    ['the time of the last attestation', { attestedBefore: new Date('2026-01-01') }, few],
    ['a ring', { ring: 7 }, few],
    ['a ring that nearly all are in', { ring: 1 }, 50],
    ['a ring and a verdict that never meet', { ring: 7, verdict: 'trusted' }, 0],
    ['exceptions', { targets: { deviceIds: ['dev_x'], labels: ['rare'] } }, few],
    ['the beginning of an owner', { search: 'owner 1999' }, 11],
    ['the beginning of a serial number', { search: 'SERIAL 39999' }, 1],
    ['what nobody has', { search: 'nobody' }, 0],
    ['a clause and a verdict that never meet', { clause: 'seldom', verdict: 'trusted' }, 0],
    [
      'all at once',
      { clause: 'seldom', labels: ['rare'], verdict: 'untrusted', owner: 'owner 2000' },
      1,
    ],
  ])('by %s costs what is found', async (_, filter, found) => {
    const answer = await cost(filter)
    expect(answer.found).toBe(found)
    // Several indexes may each be looked into for one answer; none is gone through.
    expect(answer.looked).toBeLessThanOrEqual(300)
  })

  test('by what is rare among what is common looks at a part of the fleet a page, and comes to all of it', async () => {
    const filter = { labels: ['common'], issuer: 'https://rare.example' }
    const first = await cost(filter)
    expect(first.looked).toBeLessThanOrEqual(3 * CANDIDATES_MOST)
    expect(first.found).toBeLessThan(few)
    const seen: string[] = []
    let pages = 0
    let cursor: string | undefined
    do {
      const page = await database.store.listDevices({ ...filter, limit: 3, cursor })
      seen.push(...page.devices.map(({ record }) => record.deviceId))
      cursor = page.nextCursor ?? undefined
      pages += 1
    } while (cursor !== undefined)
    expect(seen).toEqual([...new Set(seen)].sort())
    expect(seen).toHaveLength(few)
    expect(pages).toBeGreaterThanOrEqual(DEVICES / CANDIDATES_MOST)
    const counted = await database.store.groupDevices({
      ...filter,
      by: 'clause',
      after: '',
      most: 50_000,
    })
    expect(counted).toMatchObject({ devices: few, looked: DEVICES })
  })
})
