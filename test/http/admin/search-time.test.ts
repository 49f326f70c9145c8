import pg from 'pg'
import { expect, inject, test } from 'vitest'
import { openPostgresStore } from '../../../src/store/drivers/postgres.ts'
import {
  STATEMENT_LIMITS,
  type StatementLimits,
  type StoreUse,
} from '../../../src/store/drivers/statement-limits.ts'
import { describePostgres } from '../../support/postgres.ts'
import { noteReason } from '../../support/refusal.ts'
import { createTestService, expectProblem, readOk, startDevice } from '../../support/service.ts'
import { attestMinted, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

/** PostgreSQL itself cancels the statement, as the timeout tells it to that is set for administration. */
describePostgres('a search that takes the database too long', () => {
  test('is refused with what to do about it where it is broad, and else is to be asked again', async () => {
    const slow = await openTestDatabase()
    const [row] = await slow.query('select current_database() as name')
    const url = Object.assign(new URL(inject('postgres')?.url ?? ''), { pathname: `/${row?.name}` })
    const limits: Readonly<Record<StoreUse, StatementLimits>> = {
      ...STATEMENT_LIMITS,
      // A wait for a lock ends with the statement, too, as where a pooler limits statements alone.
      administration: { statementMs: 300, lockMs: 20_000, answerMs: 20_000 },
    }
    const store = openPostgresStore({ url: url.toString(), poolSize: 4, limits })
    const other = await createTestService({ database: { ...slow, store } })
    await rememberHealthy(other, await startDevice())
    const headers = await other.as('admin.read')
    const find = (query: string) => other.request(`/v1/devices?${query}`, { headers })
    await readOk((await attestMinted(other)).answer, 201)
    await readOk(await find('label=x'))
    await slow.query(`create function slow() returns boolean language sql volatile
      as $$ select pg_sleep(60) is not null $$`)
    await slow.query('alter table device rename to device_rows')
    await slow.query('create view device as select * from device_rows where slow()')
    for (const query of ['label=x', 'label=x&group_by=clause']) {
      const problem = await expectProblem(await find(query), 422, 'search_too_broad')
      expect(problem).toMatchObject({ detail: expect.stringContaining('narrow the search') })
    }
    noteReason('search_too_broad')
    // These name what is soon found: they can only have waited for somebody.
    const holder = new pg.Client({ connectionString: url.toString() })
    await holder.connect()
    await holder.query('begin; lock table device_rows in access exclusive mode')
    const id = `dev_${'a'.repeat(52)}`
    for (const query of [`search=${id}`, 'owner=ada', 'search=workstation-1&group_by=label']) {
      const answer = await find(query)
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      await expectProblem(answer, 503, 'unavailable')
    }
    await expectProblem(await find('verdict=trusted'), 422, 'search_too_broad')
    await holder.query('rollback')
    await holder.end()
    await store.close()
    await slow.close()
  })
})
