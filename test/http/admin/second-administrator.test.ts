import { afterAll, expect, test } from 'vitest'
import { createTestService, readOk } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const service = await createTestService({ database, env: { SECOND_ADMINISTRATOR: 'required' } })
const first = await service.as('admin.write')
const second = await service.as('admin.write', 'admin.read')
const { store } = service.services
afterAll(() => database.close())

type Headers = typeof first

let labels = 0
const allowance = (change: object = {}) => ({
  action: 'allow',
  target: { kind: 'label', name: `label-${labels}` },
  reason: 'the update broke them',
  expires_at: new Date(service.clock.now().getTime() + 3_600_000).toISOString(),
  ...change,
})
const create = (body: object, headers: Headers) => service.post('/v1/overrides', body, { headers })
const isMade = async () => (await store.listOverrides(10)).length > 0
const waiting = async () =>
  (await readOk(await service.request('/v1/second-requests', { headers: second }))).second_requests

test('what is dangerous waits for another administrator, and is done once then', async () => {
  const answer = await readOk(await create(allowance(), first), 202)
  expect(answer.waits_for).toBe('second_administrator')
  expect(await waiting()).toMatchObject([{ request: 'POST /v1/overrides' }])
  expect(await isMade()).toBe(false)

  const made = await readOk(await create(allowance({ reason: 'I see it too' }), second), 201)
  expect(await isMade()).toBe(true)
  expect(await waiting()).toEqual([])
  const audit = await service.query(
    `select action from audit where action like 'request.%' order by action desc`,
  )
  expect(audit.map(({ action }) => action)).toEqual([
    'request.waits-for-second',
    'request.seconded',
  ])
  await store.endOverride({
    overrideId: made.override_id,
    by: 'test',
    reason: 'test',
    now: service.clock.now(),
  })
  // It is used up: the next one waits again.
  await readOk(await create(allowance(), second), 202)
  expect(await isMade()).toBe(false)
})

test('nobody is their own second, however often they ask', async () => {
  labels += 1
  for (let time = 0; time < 3; time++) await readOk(await create(allowance(), first), 202)
  expect(await isMade()).toBe(false)
  const events = await service.query(
    `select 1 from outbox where type = 'second-administrator-needed'`,
  )
  expect(events).toHaveLength(3)
})

test('a second that asks for something else, or too late, is none', async () => {
  labels += 1
  const body = allowance()
  await readOk(await create(body, first), 202)
  const later = new Date(Date.parse(body.expires_at) + 1).toISOString()
  await readOk(await create({ ...body, expires_at: later }, second), 202)
  const long = new Date(service.clock.now().getTime() + 86_400_000).toISOString()
  const lasting = { ...body, expires_at: long }
  await readOk(await create(lasting, first), 202)
  service.clock.advance(3601)
  await readOk(await create(lasting, second), 202)
  expect(await isMade()).toBe(false)
})

test('a budget of its own makes a rollout dangerous, however little its preview found', async () => {
  const body = {
    kind: 'policy',
    hash: 'f'.repeat(64),
    reason: 'agent 9',
    plan: { bake_seconds: 0, budget: { devices: 1_000_000 } },
  }
  const active = (await store.activeDocument('policy'))?.hash ?? ''
  const answer = await service.post('/v1/rollouts', { ...body, hash: active }, { headers: first })
  expect((await readOk(answer, 202)).waits_for).toBe('second_administrator')
  expect(await store.listRollouts(1)).toEqual([])
})

test('an exception for one device waits for nobody', async () => {
  const target = { kind: 'device', name: 'dev_unknown' }
  const answer = await create(allowance({ target }), first)
  expect(answer.status).toBe(404)
})

test('two who send it at once are one request, done once', async () => {
  const holdId = 'hld_both'
  const now = service.clock.now()
  await store.beginHold({
    holdId,
    cause: { kind: 'clause', clause: 'secure_boot_on' },
    covers: now,
    until: new Date(now.getTime() + 3_600_000),
    evidence: {},
    lengthen: false,
    most: 3,
    restMs: 0,
    now,
  })
  const end = (headers: Headers) =>
    service.post(`/v1/holds/${holdId}/end`, { reason: 'it is real' }, { headers })
  const answers = await Promise.all([end(first), end(second)])
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 202])
  expect((await store.listHolds(1))[0]?.endedAt).toEqual(now)
})
