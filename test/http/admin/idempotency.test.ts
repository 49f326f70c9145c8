import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Store } from '../../../src/store/store.ts'
import type { Json } from '../../support/json.ts'
import {
  createTestService,
  expectProblem,
  readOk,
  startDevice,
  type TestService,
} from '../../support/service.ts'
import { attestMinted, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

/** The statuses are those of draft-ietf-httpapi-idempotency-key-header-07 §2.7. */
describe('a change with an Idempotency-Key', () => {
  let database: TestDatabase
  let service: TestService
  let deviceId: string
  let headers: Readonly<Record<string, string>>
  /** What the next exception meets in the place of the database. */
  let fault: Error | undefined
  const wrap = (store: Store): Store => ({
    ...store,
    forUse: (use) => wrap(store.forUse(use)),
    async createOverride(input) {
      if (fault !== undefined) throw fault
      return store.createOverride(input)
    },
  })
  beforeAll(async () => {
    database = await openTestDatabase()
    service = await createTestService({ database, wrap })
    await rememberHealthy(service, await startDevice())
    const attested = await attestMinted(service)
    await readOk(attested.answer, 201)
    deviceId = attested.deviceId
    headers = await service.as('admin.write')
  })
  afterAll(() => database?.close())
  beforeEach(() => {
    fault = undefined
  })

  let keys = 0
  const newKey = () => `key-${++keys}`
  const bodyOf = (reason: string, days = 1) => ({
    action: 'allow',
    target: { kind: 'device', name: deviceId },
    reason,
    expires_at: new Date(service.clock.now().getTime() + days * 86_400_000).toISOString(),
  })
  const allow = (key: string | undefined, body: object, as = headers) => {
    const named: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key }
    return service.post('/v1/overrides', body, { headers: { ...as, ...named } })
  }
  const made = async (reason: string) => {
    const { overrides } = await readOk(await service.request('/v1/overrides', { headers }))
    return overrides.filter((one: Json) => one.reason === reason).length
  }

  test('happens once, and is answered as before when it is sent again', async () => {
    const [key, body] = [newKey(), bodyOf('once')]
    const first = await allow(key, body)
    const told = await readOk(first, 201)
    expect(first.headers.get('idempotency-replayed')).toBeNull()
    for (const _ of [1, 2]) {
      const again = await allow(key, body)
      expect(again.headers.get('idempotency-replayed')).toBe('true')
      expect(await readOk(again, 201)).toEqual(told)
    }
    expect(await made('once')).toBe(1)
  })

  test('happens each time without one', async () => {
    const body = bodyOf('twice')
    for (const _ of [1, 2]) await readOk(await allow(undefined, body), 201)
    expect(await made('twice')).toBe(2)
  })

  test('happens once however many send it at once', async () => {
    const [key, body] = [newKey(), bodyOf('at once')]
    const answers = await Promise.all(Array.from({ length: 8 }, () => allow(key, body)))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 201).length).toBeGreaterThan(0)
    for (const answer of answers) {
      if (answer.status === 201) continue
      expect(answer.headers.get('retry-after')).toBe('1')
      await expectProblem(answer, 409, 'idempotency_under_way')
    }
    expect(await made('at once')).toBe(1)
  })

  test('is another for another client, whatever its key', async () => {
    const [key, body] = [newKey(), bodyOf('of two')]
    await readOk(await allow(key, body), 201)
    await readOk(await allow(key, body, await service.as('admin.write', 'admin.read')), 201)
    expect(await made('of two')).toBe(2)
  })

  test('is refused where the key was for another', async () => {
    const key = newKey()
    await readOk(await allow(key, bodyOf('first')), 201)
    await expectProblem(await allow(key, bodyOf('second')), 422, 'idempotency_key_reused')
    expect(await made('second')).toBe(0)
  })

  test('that was refused may be mended under its key', async () => {
    const key = newKey()
    await expectProblem(await allow(key, bodyOf('too long', 900)), 400, 'expiry_refused')
    await readOk(await allow(key, bodyOf('mended')), 201)
  })

  test('of which nobody knows whether it happened is not done again', async () => {
    const [key, body] = [newKey(), bodyOf('lost')]
    fault = new Error('the answer of the database was lost')
    await expectProblem(await allow(key, body), 500, 'internal')
    fault = undefined
    await expectProblem(await allow(key, body), 409, 'idempotency_under_way')
    service.clock.advance(120)
    await expectProblem(await allow(key, body), 409, 'idempotency_outcome_unknown')
    expect(await made('lost')).toBe(0)
  })

  test.each(['', 'two words', 'x'.repeat(256)])('is refused with the key "%s"', async (key) => {
    const answer = await allow(key, bodyOf('malformed'))
    await expectProblem(answer, 400, 'request_malformed')
  })

  test('is kept for a day, and then forgotten batch by batch', async () => {
    const { store } = service.services
    const before = new Date(service.clock.now().getTime() + 1)
    const all = await service.query('select key_id from kept_answer')
    expect(all.length).toBeGreaterThan(4)
    expect(await store.forgetAnswers({ before: new Date(0), batch: 10 })).toBe(0)
    expect(await store.forgetAnswers({ before, batch: 2 })).toBe(2)
    while ((await store.forgetAnswers({ before, batch: 2 })) > 0);
    expect(await service.query('select key_id from kept_answer')).toEqual([])
  })
})
