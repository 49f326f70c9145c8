import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPostgresStore } from '../../../src/store/drivers/postgres.ts'
import type { Store } from '../../../src/store/store.ts'
import { grantService, SERVICE_ROLE } from '../../../src/store/system/service-role.ts'
import { growLog, verifyDatabase } from '../../operations/audit/audit-fixture.ts'
import {
  describePostgres,
  FORGETFUL,
  type Postgres,
  startPostgres,
} from '../../support/postgres.ts'
import { expectOk } from '../../support/refusal.ts'
import { createTestService, startDevice, type TestService } from '../../support/service.ts'
import { newDeviceId } from '../fixtures.ts'

const DAY_MS = 86_400_000

/** What the role of the service can do, and what PostgreSQL itself refuses it. */
describePostgres('the role of the service on PostgreSQL', () => {
  let server: Postgres
  let owner: pg.Client
  let app: pg.Client
  let store: Store
  let service: TestService

  beforeAll(async () => {
    server = await startPostgres({ settings: FORGETFUL })
    const url = await server.createMigrated('roles')
    owner = new pg.Client(url)
    await owner.connect()
    expect(await grantService(url)).toBe(true)
    await owner.query(`create role app login in role ${SERVICE_ROLE}`)
    const asApp = new URL(url)
    asApp.username = 'app'
    store = openPostgresStore({ url: asApp.href, poolSize: 8 })
    app = new pg.Client(asApp.href)
    await app.connect()
    const query = async (text: string) => (await owner.query(text)).rows
    service = await createTestService({
      database: { store, query, serve: (answer) => answer(), close: () => store.close() },
    })
  }, 120_000)
  afterAll(async () => {
    await owner?.end()
    await app?.end()
    await store?.close()
    await server?.stop()
  })

  const code = async (statement: string) => {
    try {
      await app.query(statement)
      return 'done'
    } catch (error) {
      return error instanceof Error && 'code' in error ? error.code : error
    }
  }
  const INSUFFICIENT_PRIVILEGE = '42501'

  test('is enough to start, to attest, to change, to keep partitions and to give leaves', async () => {
    const attested = await service.agentOf(await startDevice()).attest()
    const { device_id: deviceId } = expectOk(attested)
    const now = service.clock.now()
    expect(await store.quarantineDevice({ deviceId, by: 'x', reason: 'y', now })).toBe('applied')
    const ahead = new Date(now.getTime() + 60 * DAY_MS)
    for (const table of ['audit', 'attestation', 'spent_nonce'] as const) {
      const before = new Date(0)
      expect(await store.keepPartitions({ table, before, now: ahead })).toMatchObject({
        missing: 0,
      })
      expect(await store.clearDefaultPartition({ table, before, now })).toBe(0)
    }
    await growLog(service.services)
    expect(expectOk(await verifyDatabase(service.services)).proven).toBeGreaterThan(0)
    expect(await store.mayChangeAudit()).toBe(false)
  })

  test('is enough for a round of every job', async () => {
    const { runJobsOnce } = await import('../../../src/compose/jobs.ts')
    const from = service.logs.length
    await runJobsOnce(service.services, new AbortController().signal)
    const lines = service.logs.slice(from).map((line) => JSON.parse(line))
    // Rows came before there was a partition, since the service started before it was asked for one.
    const errors = lines.filter(({ level, fault }) => level === 'error' && fault !== null)
    expect(errors).toEqual([])
  })

  test('cannot change, remove or empty the audit log, whole or by its partitions, nor its tree', async () => {
    const parts = await owner.query<{ name: string }>(
      `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'audit'::regclass`,
    )
    expect(parts.rows.length).toBeGreaterThan(1)
    const [part = ''] = parts.rows.map(({ name }) => name)
    for (const table of ['audit', ...parts.rows.map(({ name }) => name)]) {
      for (const statement of [
        `update ${table} set actor = 'nobody'`,
        `delete from ${table}`,
        `truncate ${table}`,
        `drop table ${table}`,
        `alter table ${table} disable trigger all`,
        `alter table ${table} add column x integer`,
        `create trigger t before insert on ${table} for each row execute function await_leaf()`,
      ]) {
        expect([statement, await code(statement)]).toEqual([statement, INSUFFICIENT_PRIVILEGE])
      }
    }
    for (const table of ['audit_leaf', 'audit_tile', 'audit_log', 'audit_pending']) {
      for (const statement of [
        `delete from ${table}`,
        `truncate ${table}`,
        `insert into ${table} select * from ${table}`,
        `drop table ${table}`,
      ]) {
        expect([statement, await code(statement)]).toEqual([statement, INSUFFICIENT_PRIVILEGE])
      }
    }
    for (const statement of [
      'update audit_leaf set position = 0',
      `update audit_tile set hashes = ''`,
      'update audit_log set size = 0',
      'alter table audit detach partition audit_default',
      `insert into ${part} select * from audit`,
      'set session_replication_role = replica',
      'drop function await_leaf cascade',
      `create or replace function await_leaf() returns trigger language sql as 'select null'`,
      `select audit_rows_may_go('x', 'audit', now(), now(), now())`,
      'set role postgres',
    ]) {
      expect([statement, await code(statement)]).toEqual([statement, INSUFFICIENT_PRIVILEGE])
    }
  })

  test('cannot have functions of the owner do it: none drops what is young, or hides a row', async () => {
    const now = new Date()
    const asked = { table: 'audit', before: new Date('2200-01-01') } as const
    await store.keepPartitions({ ...asked, before: new Date(0), now })
    const deviceId = newDeviceId()
    const key = { keyKind: 'aik', deviceKeyHash: deviceId, ring: 1 } as const
    await store.enrolDevice({ deviceId, ...key, attributes: {}, by: 'x', now })
    const rows = async () => (await owner.query('select audit_id from audit order by 1')).rows
    const before = await rows()
    for (let call = 0; call < 3; call += 1) {
      expect((await store.keepPartitions({ ...asked, now })).dropped).toBeNull()
      expect(await store.clearDefaultPartition({ ...asked, now })).toBe(0)
    }
    expect(await rows()).toEqual(before)
    // A row that does not wait gets no leaf, and one that waits no hash in place of another.
    const entries = await store.waitingAuditEntries(1)
    const { size } = await store.auditLog()
    const append = { size, origin: 'localhost:8080/audit', checkpoint: '', now, tiles: [] }
    await store.appendAuditLog({ ...append, entries })
    await expect(store.appendAuditLog({ ...append, size: size + 1, entries })).rejects.toThrow()
  })

  test('what it is not granted nobody else has: functions of the owner are not for everybody', async () => {
    const { rows } = await owner.query(
      `select proname from pg_proc
       where prosecdef and pronamespace = 'public'::regnamespace and prorettype <> 'trigger'::regtype
         and has_function_privilege('pg_monitor', oid, 'execute')`,
    )
    expect(rows).toEqual([])
    const settings = await owner.query<{ proconfig: readonly string[] }>(
      `select proconfig from pg_proc where prosecdef and pronamespace = 'public'::regnamespace`,
    )
    expect(settings.rows.length).toBeGreaterThan(3)
    for (const { proconfig } of settings.rows) {
      expect(proconfig).toContain('search_path=public, pg_temp')
    }
  })

  test('is granted anew by each migration, and takes back what it had too much', async () => {
    const url = await server.createMigrated('again')
    const client = new pg.Client(url)
    await client.connect()
    await client.query(`grant all on audit, audit_default, audit_log to ${SERVICE_ROLE}`)
    expect(await grantService(url)).toBe(true)
    expect(await grantService(url)).toBe(true)
    const { rows } = await client.query(
      `select table_name as name, string_agg(privilege_type, ',' order by 1) as may
       from information_schema.role_table_grants
       where grantee = '${SERVICE_ROLE}' and table_name like 'audit%' group by 1 order by 1`,
    )
    expect(rows).toEqual([
      { name: 'audit', may: 'INSERT,SELECT' },
      { name: 'audit_leaf', may: 'SELECT' },
      { name: 'audit_log', may: 'SELECT' },
      { name: 'audit_pending', may: 'SELECT' },
      { name: 'audit_tile', may: 'SELECT' },
    ])
    // By the catalog: a table that nobody thought of would be one that the service cannot read.
    const unread = await client.query(
      `select relname as name from pg_class where relnamespace = 'public'::regnamespace
         and relkind in ('r', 'p') and not relispartition
         and not has_table_privilege('${SERVICE_ROLE}', oid, 'select')`,
    )
    expect(unread.rows).toEqual([])
    await client.end()
  })

  test('is granted every table that there is, by the catalog of PostgreSQL', async () => {
    const { rows } = await owner.query(
      `select relname as name from pg_class
       where relkind in ('r', 'p') and not relispartition and relnamespace = 'public'::regnamespace
         and not has_table_privilege('${SERVICE_ROLE}', oid, 'select')`,
    )
    expect(rows).toEqual([])
  })

  test('is left to an administrator by an owner that may not make roles', async () => {
    const other = await startPostgres({ settings: FORGETFUL })
    try {
      const url = new URL(await other.createMigrated('limited'))
      const admin = new pg.Client(url.href)
      await admin.connect()
      await admin.query('create role limited login')
      url.username = 'limited'
      expect(await grantService(url.href)).toBe(false)
      await admin.end()
    } finally {
      await other.stop()
    }
  })
})
