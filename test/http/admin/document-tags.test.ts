import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import {
  createTestService,
  everythingStored,
  expectProblem,
  readOk,
  type TestService,
} from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

/** What RFC 9110 §8.8.3 and §13.1 say of tags and preconditions is the witness of each of these. */
describe('a document with its tag', () => {
  let database: TestDatabase
  let service: TestService
  let headers: Readonly<Record<string, string>>
  beforeAll(async () => {
    database = await openTestDatabase()
    service = await createTestService({ database })
    headers = await service.as('admin.write')
  })
  afterAll(() => database?.close())

  let changes = 0
  const get = (more: object = {}) =>
    service.request('/v1/policy', { headers: { ...headers, ...more } })
  const put = (more: object, body: object = {}) => {
    changes += 1
    const clauses = BASELINE_POLICY.clauses.slice(0, -changes)
    const document = { ...BASELINE_POLICY, clauses }
    const init = { method: 'PUT', headers: { ...headers, ...more } }
    return service.post('/v1/policy', { reason: 'a change', document, ...body }, init)
  }
  const tagNow = async () => (await get()).headers.get('etag') ?? ''

  test('is sent again only where it is another (§13.1.2)', async () => {
    const tag = await tagNow()
    expect(tag).toMatch(/^"[\x21\x23-\x7e]+"$/)
    for (const known of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
      const answer = await get({ 'if-none-match': known })
      expect(answer.status, known).toBe(304)
      expect(await answer.text()).toBe('')
      expect(answer.headers.get('etag')).toBe(tag)
    }
    expect((await get({ 'if-none-match': '"other"' })).status).toBe(200)
  })

  test('is changed by who has seen what is there, and gets another tag (§13.1.1)', async () => {
    const tag = await tagNow()
    const answer = await put({ 'if-match': `"other", ${tag}` })
    await readOk(answer)
    expect(answer.headers.get('etag')).toBe(await tagNow())
    expect(await tagNow()).not.toBe(tag)
  })

  test('is not changed by who has seen another, and a weak tag names nothing (§13.1.1)', async () => {
    const old = await tagNow()
    await readOk(await put({ 'if-match': '*' }))
    const before = await everythingStored(service.query)
    for (const named of [old, `W/${await tagNow()}`, '"other"']) {
      const answer = await put({ 'if-match': named })
      expect(answer.headers.get('etag')).toBe(await tagNow())
      await expectProblem(answer, 412, 'precondition_failed')
    }
    expect(await everythingStored(service.query)).toEqual(before)
  })

  test('is not changed where the body expects another than the header', async () => {
    const answer = await put({ 'if-match': await tagNow() }, { expected: 'f'.repeat(64) })
    await expectProblem(answer, 409, 'superseded')
  })
})
