import { afterAll, describe, expect, test } from 'vitest'
import { ENTITIES_AT_ONCE } from '../../../src/operations/entities/read-entity.ts'
import type { Json } from '../../support/json.ts'
import { createTestService, expectProblem, readOk } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

/** The directory over HTTP; what it does to decisions is in test/http/access. */
const database = await openTestDatabase()
const service = await createTestService({ database })
const read = await service.as('admin.read')
const write = await service.as('admin.write')
afterAll(() => database.close())

const get = (query = '', headers = read) => service.request(`/v1/entities${query}`, { headers })
const post = (body: unknown, path = '', headers = write) =>
  service.post(`/v1/entities${path}`, body, { headers })

const subject = (id: string, properties: object = {}, type = 'user') => {
  return { kind: 'subject', type, id, properties }
}

describe('who may', () => {
  test('write and remove: a client that writes; read: one that reads', async () => {
    const entities = [subject('a')]
    await expectProblem(await post({ entities }, '', read), 403, 'forbidden')
    await expectProblem(await post({ entities }, '/remove', read), 403, 'forbidden')
    await expectProblem(await get('', await service.as('access.evaluate')), 403, 'forbidden')
    await expectProblem(await service.request('/v1/entities'), 401, 'unauthenticated')
  })
})

describe('entities', () => {
  test('are set, changed, listed and removed; by whom, stands in the audit log', async () => {
    const entities = [
      subject('ada', { role: 'admin' }),
      { kind: 'action', name: 'x', properties: {} },
    ]
    expect(await readOk(await post({ entities, source: 'hr' }))).toEqual({
      ...{ added: 2, changed: 0, unchanged: 0 },
    })
    const changed = [subject('ada', { role: 'user' }), entities[1]]
    expect(await readOk(await post({ entities: changed, source: 'hr' }))).toEqual({
      ...{ added: 0, changed: 1, unchanged: 1 },
    })
    const { entities: listed } = await readOk(await get('?kind=subject&type=user'))
    expect(listed).toEqual([
      { ...changed[0], source: 'hr', updated_at: service.clock.now().toISOString() },
    ])
    const names = [
      { kind: 'subject', type: 'user', id: 'ada' },
      { kind: 'action', name: 'y' },
    ]
    expect(await readOk(await post({ entities: names }, '/remove'))).toEqual({
      ...{ removed: 1, absent: 1 },
    })
    const audit = await readOk(
      await service.request('/v1/audit?action=entity.removed', { headers: read }),
    )
    expect(audit.entries[0]).toMatchObject({
      actor: expect.stringMatching(/^cli_.*admin.write/),
      detail: { id: 'ada', before: { role: 'user' }, properties: null },
    })
  })

  test('that are listed can be set again as they are', async () => {
    await readOk(await post({ entities: [subject('again', { a: [1, { b: null }] })] }))
    const { entities } = await readOk(await get('?kind=subject&type=user'))
    expect(await readOk(await post({ entities }))).toMatchObject({ changed: 0, added: 0 })
  })

  test('come in pages, each behind the one before, whatever they are called', async () => {
    const ids = ['a&b=c', 'ü', '"', '\u202e', 'z', '__proto__']
    await readOk(await post({ entities: ids.map((id) => subject(id, {}, 'paged')) }))
    const found: string[] = []
    let cursor: string | null = ''
    do {
      const more: string = cursor === '' ? '' : `&cursor=${cursor}`
      const page: Json = await readOk(await get(`?kind=subject&type=paged&limit=2${more}`))
      found.push(...page.entities.map(({ id }: Json) => id))
      cursor = page.next_cursor
    } while (cursor !== null)
    expect(found.sort()).toEqual([...ids].sort())
  })
})

describe('refused are', () => {
  test.each([
    ['no entities', { entities: [] }],
    ['too many', { entities: Array(ENTITIES_AT_ONCE + 1).fill(subject('a')) }],
    ['a device', { entities: [subject('dev_a', {}, 'device')] }],
    ['properties of the names of a device', { entities: [subject('a', { device_id: 'dev_a' })] }],
    ['a member too many', { entities: [{ ...subject('a'), role: 'admin' }] }],
    [
      'an action with a type',
      { entities: [{ kind: 'action', type: 'a', name: 'b', properties: {} }] },
    ],
  ])('%s', async (_name, body) => {
    await expectProblem(await post(body), 400, 'request_malformed')
    const { entities } = await readOk(await get('?kind=subject&type=device'))
    expect(entities).toEqual([])
  })

  test('NUL, before the database would', async () => {
    await expectProblem(await post({ entities: [subject('a\0')] }), 400, 'text_not_storable')
  })

  test.each(['?type=user', '?kind=device', '?limit=0', '?limit=201', '?cursor=AAAA', '?source=a'])(
    'a list with %s',
    async (query) => {
      await expectProblem(await get(query), 400, 'request_malformed')
    },
  )
})
