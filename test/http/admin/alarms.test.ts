import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALARM_NAMES } from '../../../src/alerts/alarms.ts'
import { noteAlarms } from '../../../src/operations/alerts/watch-alarms.ts'
import {
  createTestService,
  expectProblem,
  readOk,
  type TestService,
} from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

let database: TestDatabase
let service: TestService
let read: Readonly<Record<string, string>>
let write: Readonly<Record<string, string>>
let pep: Readonly<Record<string, string>>

beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database })
  read = await service.as('admin.read')
  write = await service.as('admin.write')
  pep = await service.as('access.evaluate')
})
afterAll(() => database.close())

const get = (path: string, headers = read) => service.request(path, { headers })
const post = (path: string, body: object, headers = write) => service.post(path, body, { headers })

test('what ends, and what is foreseen, are read with admin.read alone', async () => {
  const whole = await readOk(await get('/v1/expiry'))
  expect(whole.forecast).toBeNull()
  const kinds = whole.expiries.map((one: { readonly kind: string }) => one.kind)
  expect(kinds).toContain('key_certificate')
  expect(whole.expiries[0]).toMatchObject({ has_ended: false, remedy: expect.any(String) })
  const soon = await readOk(await get('/v1/expiry?within_days=1'))
  expect(soon.expiries).toEqual([])
  await expectProblem(await get('/v1/expiry?within_days=0'), 400, 'request_malformed')
  await expectProblem(await get('/v1/expiry', pep), 403, 'forbidden')
  await expectProblem(await service.request('/v1/expiry'), 401, 'unauthenticated')
})

test('alarms that stand are listed with what to do, and so are the names of all', async () => {
  expect(await readOk(await get('/v1/alarms'))).toEqual({ alarms: [] })
  const until = new Date(service.clock.now().getTime() + 900_000)
  const alarm = {
    name: 'break_glass_used',
    subject: '',
    level: '',
    detail: { times: 2 },
    until,
  } as const
  await noteAlarms(service.services, [alarm])
  const { alarms } = await readOk(await get('/v1/alarms'))
  expect(alarms).toMatchObject([
    { alarm: 'break_glass_used', severity: 'critical', detail: { times: 2 } },
  ])
  const names = await readOk(await get('/v1/alarms/names'))
  expect(names.alarms.map((one: { readonly alarm: string }) => one.alarm)).toEqual(ALARM_NAMES)
  await expectProblem(await get('/v1/alarms', pep), 403, 'forbidden')
})

describe('destinations', () => {
  test('are made, tested, rotated and removed by an owner, whom the audit log names', async () => {
    const url = 'https://hooks.example/services/secret-path'
    const made = await post('/v1/webhooks', {
      url,
      alarms: ['rollout_halted'],
      description: 'pager',
    })
    expect([made.status, made.headers.get('cache-control')]).toEqual([201, 'no-store'])
    const { webhook_id: id, secret } = await made.json()
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    const { webhooks } = await readOk(await get('/v1/webhooks'))
    expect(webhooks).toMatchObject([
      { webhook_id: id, host: 'hooks.example', alarms: ['rollout_halted'], waiting: 0 },
    ])
    expect(JSON.stringify(webhooks)).not.toContain('secret-path')
    expect(await readOk(await post(`/v1/webhooks/${id}/test`, {}))).toEqual({ webhook_id: id })
    const rotated = await readOk(await post(`/v1/webhooks/${id}/rotate`, { overlap_seconds: 60 }))
    expect(rotated.secret).not.toBe(secret)
    const removed = await service.request(`/v1/webhooks/${id}`, {
      method: 'DELETE',
      headers: write,
    })
    expect(await readOk(removed)).toEqual({ webhook_id: id })
    const rows = await service.query(`select action, actor from audit
      where detail ->> 'streamId' = '${id}' order by at, audit_id`)
    expect(rows.map(({ action }) => action).sort()).toEqual([
      ...['stream.removed', 'webhook.created', 'webhook.secret-rotated'],
    ])
    expect(new Set(rows.map(({ actor }) => actor)).size).toBe(1)
  })

  test.each([
    { url: 'http://hooks.example/' },
    { url: 'https://user:password@hooks.example/' },
    { url: 'https://hooks.example/', alarms: ['of_no_version'] },
    { url: 'https://hooks.example/', other: true },
    {},
  ])('that are not as they should be are refused: %j', async (body) => {
    await expectProblem(await post('/v1/webhooks', body), 400, 'request_malformed')
  })

  test('that are not there are said not to be', async () => {
    for (const path of ['rotate', 'test']) {
      await expectProblem(await post(`/v1/webhooks/str_none/${path}`, {}), 404, 'webhook_not_found')
    }
  })

  test('ATTACK: their secrets are kept with no answer that could be asked for again', async () => {
    const headers = { ...write, 'idempotency-key': 'one' }
    for (const [path, body] of [
      ['/v1/webhooks', { url: 'https://hooks.example/' }],
      ['/v1/webhooks/str_none/rotate', {}],
    ] as const) {
      await expectProblem(await post(path, body, headers), 400, 'request_malformed')
    }
  })

  test('are made by nobody who may only read', async () => {
    const asked = await post('/v1/webhooks', { url: 'https://hooks.example/' }, read)
    await expectProblem(asked, 403, 'forbidden')
  })
})
