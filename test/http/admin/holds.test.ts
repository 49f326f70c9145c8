import { afterAll, expect, test } from 'vitest'
import type { Cause } from '../../../src/rollout/hold.ts'
import type { Json } from '../../support/json.ts'
import { createTestService, expectProblem, readOk } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const service = await createTestService({ database })
const read = await service.as('admin.read')
const write = await service.as('admin.write')
const pep = await service.as('access.evaluate')
const { store } = service.services
afterAll(() => database.close())

let holds = 0
async function beginHold(cause: Cause): Promise<string> {
  const now = service.clock.now()
  const holdId = `hld_${++holds}`
  const until = new Date(now.getTime() + 3_600_000)
  const answer = await store.beginHold({
    holdId,
    cause,
    covers: now,
    until,
    evidence: { devices: 12 },
    lengthen: false,
    most: 3,
    restMs: 0,
    now,
  })
  expect(answer).toBe('applied')
  return holdId
}

const list = async () => (await readOk(await service.request('/v1/holds', { headers: read }))).holds
const end = (id: string, body: unknown = { reason: 'it is real' }, headers = write) =>
  service.post(`/v1/holds/${id}/end`, body, { headers })

test('is shown with its cause and its end, and ended once', async () => {
  expect(await list()).toEqual([])
  const cause = { kind: 'clause', clause: 'secure_boot_on' } as const
  const hold_id = await beginHold(cause)
  const now = service.clock.now()
  expect(await list()).toEqual([
    {
      hold_id,
      cause,
      covers: now.toISOString(),
      since: now.toISOString(),
      until: new Date(now.getTime() + 3_600_000).toISOString(),
      ended_at: null,
      evidence: { devices: 12 },
    },
  ])
  expect(await readOk(await end(hold_id))).toEqual({ hold_id, changed: true })
  expect(await readOk(await end(hold_id))).toEqual({ hold_id, changed: false })
  expect(await list()).toMatchObject([{ hold_id, ended_at: now.toISOString() }])
  const rows = await service.query(
    `select actor, detail ->> 'reason' as reason from audit where action = 'hold.ended'`,
  )
  expect(rows).toEqual([{ actor: expect.stringMatching(/^cli_/), reason: 'it is real' }])
})

test('ending asks for a reason, and for one that there is', async () => {
  const id = await beginHold({ kind: 'stale', issuer: 'https://verifier.example' })
  for (const body of [{}, { reason: '' }, { reason: 'x', all: true }]) {
    await expectProblem(await end(id, body), 400, 'request_malformed')
  }
  await expectProblem(await end('hld_nothing'), 404, 'hold_not_found')
  expect((await list())[0]).toMatchObject({ hold_id: id, ended_at: null })
})

test('is shown to those who read and ended by those who write', async () => {
  for (const headers of [read, pep]) {
    await expectProblem(await end('hld_1', { reason: 'x' }, headers), 403, 'forbidden')
  }
  await expectProblem(await service.request('/v1/holds', { headers: pep }), 403, 'forbidden')
  await expectProblem(await service.request('/v1/holds'), 401, 'unauthenticated')
})

test('are listed page by page, those of one moment among them', async () => {
  const url = (query: string) => service.request(`/v1/holds?${query}`, { headers: read })
  for (const issuer of ['a', 'b', 'c']) {
    const id = await beginHold({ kind: 'policy_not_pinned', issuer })
    await readOk(await end(id))
  }
  const { holds: all, next_before: end_of_all } = await readOk(await url('limit=100'))
  expect(end_of_all).toBeNull()
  const walked: Json[] = []
  let before = ''
  for (let pages = 0; pages <= all.length; pages += 1) {
    const page = await readOk(await url(`limit=2${before}`))
    expect(page.holds.length).toBeLessThanOrEqual(2)
    walked.push(...page.holds)
    if (page.next_before === null) break
    before = `&before=${encodeURIComponent(page.next_before)}`
  }
  expect(walked).toEqual(all)
  expect(walked.length).toBeGreaterThan(4)
  await expectProblem(await url('before=nowhere'), 400, 'request_malformed')
})
