import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FIXTURE_ENTITIES, FIXTURE_POLICY } from '../../../src/cli/authzen/fixture-files.ts'
import { createTestService, readOk, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'

type Scenario = {
  readonly testName: string
  readonly api: string
  readonly request: {
    readonly method: string
    readonly content_type: string
    readonly json?: object
    readonly raw_body?: string
    readonly no_credentials?: boolean
    readonly bad_credentials?: boolean
  }
}

/**
 * The JSON Schemas of the AuthZEN working group for the messages of an evaluation: what they refuse we
 * refuse, and what we answer they take.
 */
describeVectors('evaluations and the schemas of the working group', () => {
  const schema = (name: string) =>
    new Ajv2020({ strict: false }).compile(
      vectorJson(`authzen/schemas/evaluation-${name}.schema.json`) as object,
    )
  const { tests } = vectorJson('authzen/oidf-scenarios.json') as { tests: readonly Scenario[] }
  const cases = tests.filter(({ api, request }) => {
    const { method, content_type, json, no_credentials, bad_credentials } = request
    const isRead = method === 'POST' && content_type.startsWith('application/json')
    return (
      api === 'evaluation' && isRead && json !== undefined && !no_credentials && !bad_credentials
    )
  })
  let database: TestDatabase
  let service: TestService
  let pep: Readonly<Record<string, string>>
  beforeAll(async () => {
    database = await openTestDatabase()
    service = await createTestService({ database })
    pep = await service.as('access.evaluate')
    const headers = await service.as('admin.write')
    const body = { reason: 'test', document: FIXTURE_POLICY }
    await readOk(await service.post('/v1/policy', body, { method: 'PUT', headers }))
    await readOk(await service.post('/v1/entities', { entities: FIXTURE_ENTITIES }, { headers }))
  })
  afterAll(() => database?.close())

  test('agree on which requests are whole, and on every answer', async () => {
    const [isRequest, isResponse] = [schema('request'), schema('response')]
    const seen = { taken: 0, refused: 0 }
    for (const { testName, request } of cases) {
      const answer = await service.post('/access/v1/evaluation', request.json, { headers: pep })
      const isWhole = isRequest(request.json)
      expect(answer.status, testName).toBe(isWhole ? 200 : 400)
      seen[isWhole ? 'taken' : 'refused'] += 1
      if (isWhole) expect(isResponse(await answer.json()), testName).toBe(true)
    }
    expect(seen.taken).toBeGreaterThan(10)
    expect(seen.refused).toBeGreaterThan(5)
  })
})

/** Who deals with the fixture of the certification: nothing that decides, searches or stores. */
test('no line of the service knows the fixture of the certification', () => {
  const own = join('cli', 'authzen')
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  const knowing = files.filter((name) => name.endsWith('.ts') && !name.startsWith(own))
  expect(
    knowing.filter((name) => /record-1|soft_deletes/.test(readFileSync(join('src', name), 'utf8'))),
  ).toEqual([])
})
