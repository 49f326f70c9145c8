import { afterAll, expect, test } from 'vitest'
import { runAuditTree } from '../../../src/compose/jobs.ts'
import { BREAK_GLASS_HEADER } from '../../../src/http/access/evaluations.ts'
import {
  AUDIENCE,
  createHolder,
  keySetOf,
  tokenOf,
} from '../../access/break-glass/break-glass-fixture.ts'
import { createTestService, readOk } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

/** The database is away while the glass is broken, and there again later. */
let isAway = false
const database = await openTestDatabase()
const holders = [await createHolder('alice'), await createHolder('bob')]
const service = await createTestService({
  database,
  env: { PUBLIC_URL: AUDIENCE, BREAK_GLASS_KEYS: keySetOf(...holders) },
  wrap: (store) => ({
    ...store,
    noteAudit: (note) => (isAway ? Promise.reject(new Error('away')) : store.noteAudit(note)),
    forUse: () => ({
      ...store,
      noteAudit: (note) => (isAway ? Promise.reject(new Error('away')) : store.noteAudit(note)),
    }),
  }),
})
afterAll(() => database.close())

test('each use of a break-glass token is in the audit log, from when the database is there', async () => {
  const deviceId = `dev_${'a'.repeat(52)}`
  const token = await tokenOf(holders, { sub: deviceId })
  const ask = () =>
    service.post(
      '/access/v1/evaluation',
      {
        subject: { type: 'device', id: deviceId },
        resource: { type: 'application', id: 'payroll' },
        action: { name: 'signin' },
      },
      { headers: { [BREAK_GLASS_HEADER]: token, 'x-request-id': 'outage-1' } },
    )
  const round = () => runAuditTree(service.services, new AbortController().signal)
  const written = () =>
    database.query(
      `select actor, detail from audit where action = 'break-glass.used' order by audit_id`,
    )
  isAway = true
  expect(await readOk(await ask())).toMatchObject({ decision: true })
  expect(await readOk(await ask())).toMatchObject({ decision: true })
  await round()
  expect(await written()).toEqual([])
  isAway = false
  await round()
  await round()
  const rows = await written()
  expect(rows).toHaveLength(2)
  expect(rows[0]).toMatchObject({
    actor: expect.stringMatching(/^break-glass:.+/),
    detail: { requestId: 'outage-1', devices: [deviceId], sub: deviceId },
  })
})
