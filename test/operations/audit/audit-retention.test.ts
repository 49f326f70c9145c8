import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AUDIT_DAYS } from '../../../src/store/schema/partitioned.ts'
import { newDeviceId } from '../../store/fixtures.ts'
import { openEmbeddedDatabase } from '../../support/embedded-database.ts'
import { describePostgres } from '../../support/postgres.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { createTestService, type TestService, testClock } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { growLog, verifyDatabase } from './audit-fixture.ts'

const DAY_MS = 86_400_000

/**
 * Rows of the audit log go by the clock of the database, which no test can move: so these were written years
 * ago. The witness of what is there is the catalog.
 */
function retentionTests(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase
  let service: TestService
  const today = Date.now()
  const daysAgo = (days: number) => new Date(today - days * DAY_MS)
  const clock = testClock(daysAgo(3 * 365))
  const store = () => service.services.store

  const change = async (now: Date) => {
    const deviceId = newDeviceId()
    const key = { keyKind: 'aik', deviceKeyHash: deviceId, ring: 1 } as const
    await store().enrolDevice({ deviceId, ...key, attributes: {}, by: 'cli:alice@host', now })
    return deviceId
  }
  const keep = (now: Date, before = now) => store().keepPartitions({ table: 'audit', before, now })
  const clear = (now: Date, before = now) =>
    store().clearDefaultPartition({ table: 'audit', before, now })
  const partOf = async (deviceId: string) => {
    const rows = await database.query(
      `select tableoid::regclass::text as part from audit where device_id = '${deviceId}'`,
    )
    return rows[0]?.part
  }

  beforeAll(async () => {
    database = await open()
    service = await createTestService({ database, clock })
  })
  afterAll(() => database?.close())

  test('the functions of the database and the settings of the service mean the same time', async () => {
    const bodies = await database.query(
      `select prosrc from pg_proc where proname in ('keep_partitions', 'clear_default_partition')`,
    )
    expect(bodies).toHaveLength(2)
    for (const { prosrc } of bodies) expect(prosrc).toContain(`interval '${AUDIT_DAYS} days'`)
  })

  test('rows go a day after the log says so; their leaves stay, and the rest is proven as before', async () => {
    // The start of the service wrote before there was a partition, which begins an hour later.
    clock.advance(2 * 3600)
    const old = clock.now()
    await keep(old, new Date(0))
    const gone = await Promise.all([change(old), change(old), change(old)])
    const part = await partOf(gone[0] ?? '')
    expect(part).toMatch(/^audit_\d{10}$/)
    await growLog(service.services)
    const { checkpoint, size } = await store().auditLog()

    const now = daysAgo(0)
    clock.set(now)
    await keep(now, new Date(0))
    const kept = await change(now)
    // A row that waits for its leaf keeps all of its partition.
    const waits = await change(old)
    expect((await keep(now)).dropped).toBeNull()
    const notes = () =>
      database.query(`select detail from audit where action = 'audit.rows-expired'`)
    expect(await notes()).toEqual([])
    await growLog(service.services)

    // It says so, and once; and drops nothing while that has no leaf, nor on the same day.
    expect((await keep(now)).dropped).toBeNull()
    expect((await keep(now)).dropped).toBeNull()
    const [note, ...more] = await notes()
    expect(more).toEqual([])
    const rows = Number((await database.query(`select count(*) as n from ${part}`))[0]?.n)
    expect(note?.detail).toMatchObject({ what: part, rows, rowsInAll: rows })
    const later = new Date(now.getTime() + DAY_MS)
    expect((await keep(later, now)).dropped).toBeNull()
    await growLog(service.services)
    expect((await keep(now)).dropped).toBeNull()
    const whole = expectOk(await verifyDatabase(service.services))
    expect(whole).toMatchObject({ expired: 0 })
    expect((await keep(later, now)).dropped).toBe(part)

    expect(await partOf(gone[0] ?? '')).toBeUndefined()
    expect(await partOf(waits)).toBeUndefined()
    expect(await partOf(kept)).toBeDefined()
    const verified = expectOk(
      await verifyDatabase(service.services, { earlier: [checkpoint ?? ''] }),
    )
    expect(verified).toMatchObject({
      ...{ expired: rows, proven: whole.proven - rows, continues: [size] },
    })
  })

  test('what is gone beyond what the log says of it was removed', async () => {
    const [leaf] = await database.query(
      `select position::int as position, audit_id from audit_leaf order by position desc limit 1`,
    )
    await database.query(`delete from audit where audit_id = '${leaf?.audit_id}'`)
    await database.query(`delete from audit_leaf where audit_id = '${leaf?.audit_id}'`)
    expectRefusal(await verifyDatabase(service.services), 'audit_row_removed')
  })

  test('none goes that is younger, whatever time the service asks for', async () => {
    const now = daysAgo(0)
    const young = daysAgo(AUDIT_DAYS - 40)
    await keep(young, new Date(0))
    const deviceId = await change(young)
    await growLog(service.services)
    const future = new Date(today + 3650 * DAY_MS)
    for (const asked of [now, future]) {
      for (let call = 0; call < 3; call += 1) {
        const { dropped } = await keep(asked, future)
        expect(dropped).not.toBe(await partOf(deviceId))
        await growLog(service.services)
      }
    }
    expect(await partOf(deviceId)).toBeDefined()
    for (const table of ['AUDIT', 'public.audit', 'audit_default', 'device']) {
      const call = `select * from keep_partitions('${table}', 'at', '30 days', 1, 'infinity', now())`
      await expect(database.query(call)).rejects.toThrow('no table of partitions')
    }
  })

  test('rows outside of partitions go the same way, a month at a time', async () => {
    const old = new Date('2015-05-05T00:00:00Z')
    const deviceId = await change(old)
    expect(await partOf(deviceId)).toBe('audit_default')
    const now = daysAgo(0)
    expect(await clear(now)).toBe(0)
    await growLog(service.services)
    expect(await clear(now)).toBe(0)
    await growLog(service.services)
    const later = new Date(now.getTime() + DAY_MS)
    expect(await clear(later, now)).toBe(1)
    expect(await clear(later, now)).toBe(0)
    expect(await partOf(deviceId)).toBeUndefined()
  })
}

describe('retention of the audit log on the embedded database', () => {
  retentionTests(openEmbeddedDatabase)
})

describePostgres('retention of the audit log on PostgreSQL', () => {
  retentionTests(openTestDatabase)
})
