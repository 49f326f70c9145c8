import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseSearch } from '../../../src/access/search-request.ts'
import { FIXTURE_POLICY } from '../../../src/cli/authzen/fixture-files.ts'
import { search } from '../../../src/operations/decide/search.ts'
import { expectOk } from '../../support/refusal.ts'
import { createTestService, readOk, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

/** How much a page looks at while time goes by: the count is of the work itself, by a clock of ours. */
let database: TestDatabase
let service: TestService
beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database })
  const headers = await service.as('admin.write')
  const texts = { en: { title: 'No', repair: 'None.' } }
  const clauses = [{ id: 'any', require: 'subject.type == "user"', severity: 'enforce', texts }]
  const document = { ...FIXTURE_POLICY, device: 'false', clauses }
  const body = { reason: 'test', document }
  await readOk(await service.post('/v1/policy', body, { method: 'PUT', headers }))
  const entities = Array.from({ length: 40 }, (_, index) => {
    return {
      kind: 'subject',
      type: 'user',
      id: `u${String(index).padStart(2, '0')}`,
      properties: {},
    }
  })
  await readOk(await service.post('/v1/entities', { entities }, { headers }))
})
afterAll(() => database?.close())

/** A search by a clock that moves on each time that it is looked at. */
async function searching(msEach: number, page: object = {}) {
  let time = service.clock.now().getTime()
  const clock = () => {
    time += msEach
    return new Date(time)
  }
  const { services } = service
  const request = expectOk(
    parseSearch('subject', {
      ...{ subject: { type: 'user' }, action: { name: 'a' } },
      ...{ resource: { type: 'r', id: 'r' }, page },
    }),
  )
  const dependencies = { ...services, clock, searchPageKeys: services.sealing.searchPage }
  return expectOk(await search(dependencies, request, { clientId: 'cli_a' }))
}

test('a page of which each entity takes long ends in time, and leads on behind the last one', async () => {
  const first = await searching(100)
  expect(first.results.map((one) => 'id' in one && one.id)).toEqual(['u00', 'u01', 'u02'])
  const next = await searching(100, { token: first.page.next_token })
  expect(next.results.map((one) => 'id' in one && one.id)).toEqual(['u03', 'u04', 'u05'])
})

test('it looks at one entity at least, so that a search always comes to its end', async () => {
  let found = 0
  let token = ''
  do {
    const { page, results } = await searching(1_000, { token })
    expect(results).toHaveLength(1)
    found += 1
    token = page.next_token
  } while (token !== '')
  expect(found).toBe(40)
})

test('a clock that is set back ends it, too', async () => {
  expect((await searching(-1_000)).results).toHaveLength(1)
})
