import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FIXTURE_ENTITIES, FIXTURE_POLICY } from '../../../src/cli/authzen/fixture-files.ts'
import { createTestService, readOk, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

/**
 * Requests of the forms of AuthZEN 1.0 §6 to §8 and near to them, made at random: each is answered or refused, and
 * none is a fault. The forms are those of the standard's information model; fast-check fills them.
 */
let database: TestDatabase
let service: TestService
let pep: Readonly<Record<string, string>>
let admin: Readonly<Record<string, string>>
beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database })
  pep = await service.as('access.evaluate')
  admin = await service.as('admin.write')
  const body = { reason: 'test', document: FIXTURE_POLICY }
  await readOk(await service.post('/v1/policy', body, { method: 'PUT', headers: admin }))
  await readOk(
    await service.post('/v1/entities', { entities: FIXTURE_ENTITIES }, { headers: admin }),
  )
})
afterAll(() => database?.close())

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('user', 'alice', 'record', 'record-1', 'read', 'device', '__proto__', '', 'a\0'),
)
const properties = fc.oneof(
  fc.dictionary(
    fc.oneof(text, fc.constantFrom('role', 'device_id', 'device_token')),
    fc.jsonValue(),
  ),
  fc.jsonValue(),
)
const near = <T>(arbitrary: fc.Arbitrary<T>) => fc.oneof({ weight: 9, arbitrary }, fc.jsonValue())
const entity = near(
  fc.record({ type: near(text), id: near(text), properties }, { requiredKeys: [] }),
)
const action = near(fc.record({ name: near(text), properties }, { requiredKeys: [] }))
const page = near(fc.record({ token: near(text), limit: near(fc.integer()) }, { requiredKeys: [] }))
const question = { subject: entity, resource: entity, action, context: properties, page }
const request = fc.record(
  {
    ...question,
    evaluations: fc.array(fc.record(question, { requiredKeys: [] }), { maxLength: 3 }),
    options: near(fc.record({ evaluations_semantic: near(text) })),
  },
  { requiredKeys: [] },
)
const PATHS = ['evaluation', 'evaluations', 'search/subject', 'search/resource', 'search/action']

test.each(PATHS)('whatever is sent to /access/v1/%s is no fault', async (path) => {
  await fc.assert(
    fc.asyncProperty(request, async (body) => {
      const answer = await service.post(`/access/v1/${path}`, body, { headers: pep })
      const told = await answer.text()
      expect([200, 400], told).toContain(answer.status)
    }),
    { numRuns: 150 },
  )
})

test('whatever is written into the directory is taken or refused', async () => {
  const entities = fc.array(
    near(
      fc
        .record(
          { kind: near(fc.constantFrom('subject', 'resource', 'action')), type: near(text) },
          { requiredKeys: [] },
        )
        .chain((start) =>
          fc
            .record(
              { id: near(text), name: near(text), properties, source: near(text) },
              { requiredKeys: [] },
            )
            .map((rest) => ({ ...start, ...rest })),
        ),
    ),
    { maxLength: 3 },
  )
  await fc.assert(
    fc.asyncProperty(entities, fc.constantFrom('', '/remove'), async (list, path) => {
      const body = { entities: list }
      const answer = await service.post(`/v1/entities${path}`, body, { headers: admin })
      expect([200, 400], await answer.text()).toContain(answer.status)
    }),
    { numRuns: 150 },
  )
})
