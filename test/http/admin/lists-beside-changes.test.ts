import pg from 'pg'
import { expect, inject, onTestFinished, test } from 'vitest'
import { openPostgresStore } from '../../../src/store/drivers/postgres.ts'
import { STATEMENT_LIMITS } from '../../../src/store/drivers/statement-limits.ts'
import { policyWith } from '../../operations/release/documents.ts'
import { describePostgres } from '../../support/postgres.ts'
import { enforceFleetDocuments, recordFleet } from '../../support/recorded-fleet.ts'
import { createTestService, expectProblem, readOk, testClock } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

/** PostgreSQL itself holds the lists up: another session has the part of the audit log locked that they read. */
describePostgres('lists of administrators that the database holds up', () => {
  test('leave a connection to whoever changes something, and more of them are told to come again', {
    timeout: 60_000,
  }, async () => {
    const database = await openTestDatabase()
    onTestFinished(database.close)
    const [row] = await database.query('select current_database() as name')
    const url = Object.assign(new URL(inject('postgres')?.url ?? ''), { pathname: `/${row?.name}` })
    const limits = {
      ...STATEMENT_LIMITS,
      administration: { statementMs: 50_000, lockMs: 50_000, answerMs: 55_000 },
    }
    // Two of them are for administration.
    const store = openPostgresStore({ url: url.toString(), poolSize: 5, limits })
    onTestFinished(() => store.close())
    // What is written from now on is not where the lists look.
    await database.query(`create table audit_now partition of audit
      for values from ('2026-03-01') to ('2026-04-01')`)
    const clock = testClock()
    const service = await createTestService({ database: { ...database, store }, clock })
    const headers = await service.as('admin.read', 'admin.write')
    const post = (path: string, body: object) => service.post(path, body, { headers })
    const [deviceId] = await recordFleet(store, { devices: 3, now: clock.now() })
    await enforceFleetDocuments(store, clock.now())

    const holder = new pg.Client({ connectionString: url.toString() })
    await holder.connect()
    onTestFinished(() => holder.end())
    await holder.query('begin; lock table audit_default in access exclusive mode')
    const list = () =>
      service.request('/v1/audit?since=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00Z', {
        headers,
      })
    const lists = Array.from({ length: 4 }, list)
    const held = async () =>
      (await database.query('select count(*)::int as n from pg_locks where not granted'))[0]?.n
    await expect.poll(held).toBe(1)

    await readOk(await post(`/v1/devices/${deviceId}/quarantine`, { reason: 'lost' }))
    const { body: document } = policyWith('attestation.secureBootEnabled == true')
    const body = JSON.stringify({ document, reason: 'x', at_once: true, accept_denials: 3 })
    const asJson = { ...headers, 'content-type': 'application/json' }
    const put = { method: 'PUT', body, headers: asJson }
    await readOk(await service.request('/v1/policy', put))
    await readOk(await post('/v1/policy/rollback', { reason: 'it was wrong' }))
    expect(await held()).toBe(1)

    for (const answer of lists.slice(1)) {
      const refused = await answer
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      await expectProblem(refused, 503, 'unavailable')
    }
    await holder.query('rollback')
    await readOk(await (lists[0] ?? list()))
    await readOk(await list())
  })
})
