import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  checkEntityLines,
  importEntities,
} from '../../../src/operations/entities/import-entities.ts'
import { ENTITIES_AT_ONCE } from '../../../src/operations/entities/read-entity.ts'
import { walkEntities } from '../../../src/operations/entities/walk-entities.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

/** JSON lines have no standard of their own; that each line is JSON is RFC 8259's. */
const NOW = new Date('2026-05-04T10:00:00Z')
const SIGNAL = new AbortController().signal
const WALK = { onProgress() {}, signal: SIGNAL }

let database: TestDatabase
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database?.close())

const linesOf = (...lines: string[]) =>
  async function* () {
    yield* lines
  }

const user = (id: string, properties: object = {}, more: object = {}) =>
  JSON.stringify({ kind: 'subject', type: 'user', id, properties, ...more })

function importing(lines: () => AsyncIterable<string>, change: object = {}) {
  return importEntities(database.store, lines, {
    ...WALK,
    ...{ source: 'test', by: 'tester', clock: () => NOW },
    ...change,
  })
}

async function everything(filter: object = {}) {
  const found: string[] = []
  for await (const page of walkEntities(database.store, filter, SIGNAL)) {
    found.push(...page.map(({ kind, type, id }) => `${kind} ${type} ${id}`))
  }
  return found
}

describe('a file', () => {
  test('is counted, its empty lines and its byte order mark left aside', async () => {
    const lines = linesOf(
      `\uFEFF${user('alice')}`,
      '',
      '  ',
      '{"kind":"action","name":"read","properties":{}}',
      user('bob', { role: 'admin' }, { source: 'hr', updated_at: '2026-01-01T00:00:00Z' }),
    )
    expect(expectOk(await checkEntityLines(lines, WALK))).toEqual({ entities: 3 })
  })

  test.each([
    ['no JSON', '{"kind":', 'is not JSON'],
    ['a list', '[]', ''],
    ['another kind', '{"kind":"device","id":"a","properties":{}}', 'kind'],
    ['no id', '{"kind":"subject","type":"user","properties":{}}', 'id: is missing'],
    ['an action with a type', '{"kind":"action","type":"a","name":"b","properties":{}}', '"type"'],
    ['no properties', '{"kind":"action","name":"read"}', 'properties'],
    ['properties that are a list', user('a', []), 'properties: must be an object'],
    ['a member too many', user('a', {}, { role: 'admin' }), '"role"'],
    [
      'a device',
      '{"kind":"subject","type":"device","id":"dev_a","properties":{}}',
      'other than device',
    ],
    ['the name of a device', user('a', { device_id: 'dev_a' }), 'device_id'],
    ['the token of one', user('a', { device_token: 'eyJ' }), 'device_token'],
    ['an empty id', user(''), 'id or name of 1 to'],
    ['an id that is too long', user('ü'.repeat(513)), 'id or name of 1 to'],
    ['NUL in an id', user('a\0'), 'can be kept'],
    ['NUL in a property', user('a', { a: 'b\0' }), 'can be kept'],
    ['half of a surrogate pair', user('a', { a: '\ud800' }), 'can be kept'],
    ['a number without end', user('a').replace('{}', '{"a":1e999}'), 'finite'],
    [
      'too many properties',
      user('a', Object.fromEntries([...Array(65)].map((_, i) => [i, 1]))),
      '64',
    ],
    ['too many values', user('a', { a: Array(256).fill(1) }), '256'],
    ['too much', user('a', { a: 'x'.repeat(8_200) }), '8192 bytes'],
    ['too deep', user('a', { a: { b: { c: { d: {} } } } }), 'deep'],
    ['an empty source', user('a', {}, { source: '' }), 'source'],
    ['far too long a line', user('a', { a: 'x'.repeat(70_000) }), '65536'],
  ])('that has %s is refused, with its line', async (_name, line, message) => {
    const checked = await checkEntityLines(linesOf(user('alice'), line), WALK)
    const failure = expectRefusal(checked, 'entity_import_refused')
    expect(failure).toMatchObject({ count: 1, problems: [{ line: 2 }] })
    expect(failure.problems[0]?.message).toContain(message)
  })

  test('may have members named after prototypes: they are members', async () => {
    const line = '{"kind":"subject","type":"user","id":"p","properties":{"__proto__":{"a":1}}}'
    await importing(linesOf(line))
    const name = { kind: 'subject', type: 'user', id: 'p' } as const
    const [found] = [...(await database.store.directoryEntries([name])).values()]
    expect(JSON.stringify(found)).toBe('{"__proto__":{"a":1}}')
  })

  test('has its first mistakes told, and all counted', async () => {
    const wrong = Array.from({ length: 50 }, () => '{')
    const failure = expectRefusal(
      await checkEntityLines(linesOf(...wrong), WALK),
      'entity_import_refused',
    )
    expect(failure.problems).toHaveLength(20)
    expect(failure.count).toBe(50)
  })
})

describe('an import', () => {
  const many = Array.from({ length: ENTITIES_AT_ONCE * 2 + 1 }, (_, index) =>
    user(`many ${String(index).padStart(5, '0')}`, { index }),
  )

  test('that was stopped is done up to a batch, and begun again does the rest', async () => {
    const stop = new AbortController()
    const stopped = importing(linesOf(...many), {
      signal: stop.signal,
      onProgress: () => stop.abort(),
    })
    await expect(stopped).rejects.toThrow()
    expect((await everything()).filter((name) => name.includes('many'))).toHaveLength(
      ENTITIES_AT_ONCE,
    )
    const counts = await importing(linesOf(...many))
    expect(counts).toMatchObject({ unchanged: ENTITIES_AT_ONCE, added: ENTITIES_AT_ONCE + 1 })
    expect(await importing(linesOf(...many))).toMatchObject({ unchanged: many.length, added: 0 })
    const [rows] = await database.query(
      `select count(*)::int as count from audit where action = 'entity.added'
        and detail ->> 'id' like 'many %'`,
    )
    // What was there already has no row of its own.
    expect(rows?.count).toBe(many.length)
  })

  test('says how far it is', async () => {
    const seen: number[] = []
    await importing(linesOf(...many), { onProgress: (done: number) => seen.push(done) })
    expect(seen).toEqual([ENTITIES_AT_ONCE, ENTITIES_AT_ONCE * 2, many.length])
  })

  test('goes by the source of a line before that of the file', async () => {
    await importing(linesOf(user('own', {}, { source: 'hr' }), user('none')), { source: 'file' })
    expect(await everything({ source: 'hr' })).toEqual(['subject user own'])
    expect(await everything({ source: 'file' })).toEqual(['subject user none'])
  })

  test('of a file that became another one meanwhile ends with its line', async () => {
    await expect(importing(linesOf(user('a'), '{'))).rejects.toThrow('line 2 has changed meanwhile')
  })
})
