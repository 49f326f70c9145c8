import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseSearch } from '../../../src/access/search-request.ts'
import { FIXTURE_ENTITIES, FIXTURE_POLICY } from '../../../src/cli/authzen/fixture-files.ts'
import type { Json } from '../../support/json.ts'
import { expectRefusal, noteReason } from '../../support/refusal.ts'
import {
  createTestService,
  readOk,
  startDevice,
  type TestService,
  testClock,
} from '../../support/service.ts'
import { attestMinted, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

/**
 * Searches over HTTP. What a search finds has an evaluation as its witness, which the conformance suite
 * of the OpenID Foundation holds; forms are those of AuthZEN 1.0 §8.
 */
const clock = testClock()
/** How long each reading of entities takes, by the clock of the service. */
const slow = { seconds: 0 }
let database: TestDatabase
let service: TestService
let pep: Readonly<Record<string, string>>
let write: Readonly<Record<string, string>>
beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({
    database,
    clock,
    wrap: (store) => ({
      ...store,
      entityPage: async (query) => {
        const page = await store.entityPage(query)
        clock.advance(slow.seconds)
        return page
      },
    }),
  })
  pep = await service.as('access.evaluate')
  write = await service.as('admin.write')
  await activate(FIXTURE_POLICY)
  await put(FIXTURE_ENTITIES)
})
afterAll(() => database?.close())

async function activate(document: object) {
  const body = { reason: 'test', document }
  const headers = write
  const answer = await service.post('/v1/policy', body, { method: 'PUT', headers })
  // Putting it in force again changes nothing.
  if (answer.status !== 409) await readOk(answer)
}

async function put(entities: readonly object[]) {
  return readOk(await service.post('/v1/entities', { entities }, { headers: write }))
}

const ALICE = { type: 'user', id: 'alice' }
const READ = { name: 'read' }
const RECORD = { type: 'record', id: 'record-1' }
const SUBJECTS = { subject: { type: 'user' }, action: READ, resource: RECORD }

function ask(kind: string, body: object, headers = pep) {
  return service.post(`/access/v1/search/${kind}`, body, { headers })
}

async function find(kind: string, body: object): Promise<Json> {
  return readOk(await ask(kind, body))
}

async function expectError(answer: Response, message: RegExp): Promise<void> {
  expect(await answer.json()).toMatch(message)
  expect(answer.status).toBe(400)
}

describe('what a search finds', () => {
  test('is what an evaluation of each entity grants, and nothing else', async () => {
    for (const action of ['read', 'write', 'delete'].map((name) => ({ name }))) {
      for (const resource of ['record-1', 'record-2'].map((id) => ({ type: 'record', id }))) {
        const { results } = await find('subject', { subject: { type: 'user' }, action, resource })
        const evaluations = ['alice', 'bob'].map((id) => ({ subject: { type: 'user', id } }))
        const body = { action, resource, evaluations }
        const answered = await readOk(
          await service.post('/access/v1/evaluations', body, { headers: pep }),
        )
        const granted = evaluations.filter((_, at) => answered.evaluations[at].decision)
        expect(results).toEqual(granted.map(({ subject }) => subject))
      }
    }
  })

  test('has the page first, its count, and an empty token at the end (§8)', async () => {
    const found = await find('action', { subject: ALICE, resource: RECORD })
    expect(Object.keys(found)).toEqual(['page', 'results'])
    expect(found).toEqual({
      page: { next_token: '', count: 2 },
      results: [{ name: 'read' }, { name: 'write' }],
    })
  })

  test('is nothing of a type that nobody knows, or of an id that is ignored', async () => {
    const none = { page: { next_token: '', count: 0 }, results: [] }
    expect(await find('subject', { ...SUBJECTS, subject: { type: 'spaceship' } })).toEqual(none)
    const stray = { ...SUBJECTS, subject: { type: 'user', id: 'nobody' } }
    expect(await find('subject', stray)).toEqual(await find('subject', SUBJECTS))
  })

  test('hangs on what the caller sends, as an evaluation does: that wins', async () => {
    const asAdmin = { type: 'user', id: 'alice', properties: { role: 'admin' } }
    const write = { subject: asAdmin, action: { name: 'write' }, resource: { type: 'record' } }
    const { results } = await find('resource', write)
    expect(results).toEqual([RECORD, { type: 'record', id: 'record-2' }])
    const archived = { type: 'record', properties: { status: 'archived' } }
    const { results: none } = await find('resource', {
      ...write,
      subject: ALICE,
      resource: archived,
    })
    expect(none).toEqual([])
  })
})

describe('odd names', () => {
  const odd = ['é', 'e\u0301', '__proto__', 'constructor', 'a"b\\c', '\u202eright', "';--", '%']

  test('are found byte by byte, each as itself', async () => {
    const subjects = odd.map((id) => ({ kind: 'subject', type: 'odd', id, properties: {} }))
    expect(await put(subjects)).toEqual({ added: odd.length, changed: 0, unchanged: 0 })
    await activate({
      ...FIXTURE_POLICY,
      clauses: [anyClause('subject.type == "odd"')],
      device: 'false',
    })
    const { results } = await find('subject', { ...SUBJECTS, subject: { type: 'odd' } })
    expect(results.map(({ id }: Json) => id).sort()).toEqual([...odd].sort())
    await activate(FIXTURE_POLICY)
  })

  test('a prototype names no type', async () => {
    const { results } = await find('subject', { ...SUBJECTS, subject: { type: '__proto__' } })
    expect(results).toEqual([])
  })

  test('NUL and half of a surrogate pair are refused before anything is looked for', async () => {
    for (const id of ['a\0b', '\ud800']) {
      const answer = await ask('subject', { ...SUBJECTS, resource: { type: 'record', id } })
      await expectError(answer, /not text that can be kept/)
    }
  })
})

function anyClause(require: string) {
  const texts = { en: { title: 'No', repair: 'None.' } }
  return { id: 'any', require, severity: 'enforce', texts }
}

describe('pages', () => {
  test('lead through all results, whatever limit they have', async () => {
    for (const limit of [1, 2, 3, 50]) {
      const found: unknown[] = []
      let page: object = { limit }
      for (let turn = 0; turn < 10; turn++) {
        const answer = await find('subject', { ...SUBJECTS, page })
        expect(answer.results.length).toBeLessThanOrEqual(limit)
        expect(answer.page.count).toBe(answer.results.length)
        found.push(...answer.results)
        if (answer.page.next_token === '') break
        page = { token: answer.page.next_token }
      }
      expect(found, `limit ${limit}`).toEqual([ALICE, { type: 'user', id: 'bob' }])
    }
  })

  test('of no results at all lead on, and say nothing', async () => {
    const { page, results } = await find('subject', { ...SUBJECTS, page: { limit: 0 } })
    expect(results).toEqual([])
    expect(page.next_token).not.toBe('')
  })

  test.each([-1, 1.5, '1', null, 1e300, {}])('have no limit such as %j', async (limit) => {
    await expectError(await ask('subject', { ...SUBJECTS, page: { limit } }), /page\.limit/)
  })

  test('that are no objects, or have tokens that are none, are refused', async () => {
    await expectError(await ask('subject', { ...SUBJECTS, page: [] }), /page must be/)
    await expectError(await ask('subject', { ...SUBJECTS, page: { token: 1 } }), /page\.token/)
    const long = { token: 'x'.repeat(5000) }
    await expectError(await ask('subject', { ...SUBJECTS, page: long }), /too large/)
  })

  test('go on for the same caller and the same search alone', async () => {
    const { page } = await find('subject', { ...SUBJECTS, page: { limit: 1 } })
    const next = { token: page.next_token }
    const other = await service.as('access.evaluate', 'admin.read')
    const refused = [
      await ask('subject', { ...SUBJECTS, page: next }, other),
      await ask('subject', { ...SUBJECTS, action: { name: 'write' }, page: next }),
      await ask('subject', { ...SUBJECTS, context: { ip: '192.0.2.1' }, page: next }),
      await ask('resource', {
        subject: ALICE,
        action: READ,
        resource: { type: 'user' },
        page: next,
      }),
      await ask('subject', { ...SUBJECTS, page: { ...next, limit: 2 } }),
      await ask('subject', { ...SUBJECTS, page: { token: `${next.token.slice(0, -2)}AA` } }),
    ]
    for (const answer of refused) await expectError(answer, /page\.token is not one of this search/)
    noteReason('page_token_refused')
    const { results } = await find('subject', { ...SUBJECTS, page: { ...next, limit: 1 } })
    expect(results).toEqual([{ type: 'user', id: 'bob' }])
  })

  test('end after an hour', async () => {
    const { page } = await find('subject', { ...SUBJECTS, page: { limit: 1 } })
    clock.advance(3601)
    const answer = await ask('subject', { ...SUBJECTS, page: { token: page.next_token } })
    await expectError(answer, /has expired/)
  })
})

describe('a search that would take too long', () => {
  const many = Array.from({ length: 450 }, (_, index) => {
    return {
      kind: 'subject',
      type: 'crowd',
      id: `c${String(index).padStart(4, '0')}`,
      properties: {},
    }
  })
  const CROWD = { ...SUBJECTS, subject: { type: 'crowd' }, page: { limit: 100 } }
  beforeAll(() => put(many))

  test('ends its page, with what it has found, and leads on behind it', async () => {
    await activate({
      ...FIXTURE_POLICY,
      device: 'false',
      clauses: [anyClause('subject.id >= "c0440"')],
    })
    slow.seconds = 1
    let page: object = CROWD.page
    let turns = 0
    const found: Json[] = []
    do {
      service.calls.length = 0
      const answer = await find('subject', { ...CROWD, page })
      // One reading, and then the time was over: it has looked at what one reads, and no more.
      expect(service.calls.filter((name) => name === 'entityPage')).toHaveLength(1)
      found.push(...answer.results)
      page = { token: answer.page.next_token }
      turns += 1
    } while (Object(page).token !== '' && turns < 10)
    slow.seconds = 0
    expect(found).toHaveLength(10)
    expect(turns).toBe(3)
    await activate(FIXTURE_POLICY)
  })

  test('looks at no more than a thousand entities a page', async () => {
    const more = Array.from({ length: 3 }, (_, part) =>
      many.map((one) => ({ ...one, id: `${part}${one.id}` })),
    )
    for (const entities of more) await put(entities)
    service.calls.length = 0
    const { page, results } = await find('subject', CROWD)
    expect(results).toEqual([])
    expect(page.next_token).not.toBe('')
    expect(service.calls.filter((name) => name === 'entityPage')).toHaveLength(5)
  })
})

describe('what cannot be searched for', () => {
  test('devices: they are millions, and in no directory', async () => {
    const body = { ...SUBJECTS, subject: { type: 'device' } }
    expectRefusal(parseSearch('subject', body), 'search_of_devices')
    await expectError(await ask('subject', body), /devices are not searched for/)
  })

  test('anything without a scope for it', async () => {
    const answer = await ask('subject', SUBJECTS, await service.as('admin.read'))
    expect(answer.status).toBe(403)
  })
})

describe('where a device is demanded', () => {
  test('nothing is found without one, nor read', async () => {
    await activate({ ...FIXTURE_POLICY, device: 'always' })
    service.calls.length = 0
    const found = await find('subject', SUBJECTS)
    expect(found).toEqual({ page: { next_token: '', count: 0 }, results: [] })
    expect(service.calls).not.toContain('entityPage')
  })

  test('all is found with one that is trusted, and nothing with one in quarantine', async () => {
    await rememberHealthy(service, await startDevice())
    const { deviceId } = await attestMinted(service)
    const onDevice = { ...SUBJECTS, subject: { type: 'user', properties: { device_id: deviceId } } }
    expect((await find('subject', onDevice)).results).toHaveLength(2)
    const path = `/v1/devices/${deviceId}/quarantine`
    await readOk(await service.post(path, { reason: 'lost' }, { headers: write }))
    // Although the policy demands no device: one that is named is judged.
    await activate(FIXTURE_POLICY)
    expect((await find('subject', onDevice)).results).toEqual([])
  })
})
