import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findEntities } from '../../../src/operations/entities/find-entities.ts'
import { type ConsoleWorld, openConsoleWorld, populate, SCRIPTS } from './pages-world.ts'

let world: ConsoleWorld
let ids: Awaited<ReturnType<typeof populate>>
beforeAll(async () => {
  world = await openConsoleWorld()
  ids = await populate(world)
})
afterAll(() => world.close())

const page = async (path: string): Promise<string> => {
  const answer = await world.get(path)
  const text = await answer.text()
  expect(answer.status, text).toBe(200)
  return text
}
const stream = (verb = '') => `/console/streams/${ids.stream}${verb && `/${verb}`}`
const stored = async () =>
  (await world.fleet.store.listStreams()).find(({ streamId }) => streamId === ids.stream)
const counts = () => world.fleet.store.countDeliveries(ids.stream)

describe('a stream', () => {
  test('is in the list with what waits for it and what it refused', async () => {
    const { waiting, refused } = await counts()
    expect([waiting, refused]).toEqual([5, 1])
    const row = /<tr><th scope="row"><a href="\/console\/streams\/[\s\S]*?<\/tr>/.exec(
      await page('/console/streams'),
    )?.[0]
    expect(row).toContain('https://example.okta.com/security/api/v1/security-events')
    expect(row).toContain('<span class="v trusted">enabled</span>')
    expect(row).toContain('<td class="n">5</td><td class="n">1</td>')
  })

  test('shows its lanes, and what was refused with the cause as text', async () => {
    const text = await page(stream())
    const lanes = /<section[^>]*aria-labelledby="lanes">[\s\S]*?<\/section>/.exec(text)?.[0] ?? ''
    expect(lanes.match(/<tr><th scope="row">/g)).toHaveLength(3)
    expect(text).toContain('&lt;b&gt;no&lt;/b&gt;')
    expect(text).not.toMatch(/<script|<img|<b>|href="javascript/i)
  })

  test('has one refused event sent again, and no more than that one', async () => {
    const text = await page(stream())
    const position = /name="position" value="(\d+)"/.exec(text)?.[1] ?? ''
    const answer = await world.post(stream('replay'), { position })
    expect(answer.status).toBe(303)
    expect(answer.headers.get('location')).toBe(`${stream()}?replayed=1`)
    expect(await page(`${stream()}?replayed=1`)).toContain('Sent again: 1 event.')
    expect(await counts()).toEqual({ waiting: 6, refused: 0 })
    const again = await world.post(stream('replay'), { position })
    expect(again.headers.get('location')).toBe(`${stream()}?replayed=0`)
    expect((await world.post(stream('replay'), { position: 'some' })).status).toBe(400)
  })

  test('is sent a test in its own lane', async () => {
    const before = await counts()
    const answer = await world.post(stream('test'), {})
    expect(answer.headers.get('location')).toBe(`${stream()}?done=test`)
    expect((await counts()).waiting).toBe(before.waiting + 1)
    expect(await page(`${stream()}?done=test`)).toContain('the stream itself')
  })

  test('is paused and enabled with a reason, which is audited', async () => {
    for (const [verb, status] of [
      ['pause', 'paused'],
      ['enable', 'enabled'],
    ]) {
      const answer = await world.post(stream(verb), { reason: `because of ${verb}` })
      expect(answer.status).toBe(303)
      expect(await stored()).toMatchObject({ status, reason: `because of ${verb}` })
    }
    const rows = await world.fleet.service.query(
      `select actor from audit where action like 'stream.%' and detail::text like '%because of%'`,
    )
    expect(rows.map(({ actor }) => actor)).toEqual(['person:test', 'person:test'])
    expect((await world.post(stream('pause'), { reason: ' ' })).status).toBe(400)
    expect(await stored()).toMatchObject({ status: 'enabled' })
  })

  test.each(['enable', 'pause', 'disable', 'test', 'replay'])(
    'that nobody knows is not found for %s',
    async (verb) => {
      const form = verb === 'replay' ? { position: '1' } : { reason: 'x' }
      expect((await world.post(`/console/streams/str_nobody/${verb}`, form)).status).toBe(404)
    },
  )

  test('is changed by the owner alone: others see no form', async () => {
    const text = await (await world.get(stream(), ['admin.read', 'admin.operate'])).text()
    expect(text).not.toContain(`action="${stream()}`)
  })
})

describe('entities', () => {
  const found = (text: string) =>
    [...text.matchAll(/<tr><th scope="row"><a href="([^"]*)"/g)].map(([, href = '']) =>
      new URLSearchParams(href.replaceAll('&amp;', '&').split('?')[1]).get('id'),
    )

  test.each([
    ['', 7],
    ['?kind=subject&type=user', 7],
    ['?kind=subject&type=user&begins=ada', 1],
    ['?kind=subject&type=user&begins=zzz', 0],
    ['?kind=resource', 0],
  ])('are found by %s', async (query, many) => {
    expect(found(await page(`/console/entities${query}`))).toHaveLength(many)
  })

  test.each(['type=user', 'begins=ada', 'kind=nothing', 'who=x'])(
    'are not looked for by %s, and the page says why',
    async (query) => {
      const answer = await world.get(`/console/entities?${query}`)
      expect(answer.status).toBe(400)
      expect(await answer.text()).toContain('role="alert"')
    },
  )

  test('go on behind the last one', async () => {
    const { store, service } = world.fleet
    const names = Array.from({ length: 120 }, (_, at) => `app-${String(at).padStart(3, '0')}`)
    const of = { kind: 'resource', type: 'app' } as const
    await store.changeEntities({
      changes: names.map((id) => ({ ...of, id, properties: {}, source: 'test' })),
      ...{ by: 'test', now: service.clock.now() },
    })
    const seen: (string | null)[] = []
    let path: string | undefined = '?kind=resource&type=app&begins=app-'
    while (path !== undefined) {
      const text: string = await page(`/console/entities${path}`)
      seen.push(...found(text))
      path = /rel="next" href="\/console\/entities([^"]*)"/
        .exec(text)?.[1]
        ?.replaceAll('&amp;', '&')
    }
    expect(seen).toEqual(names)
    const some = await findEntities(store, { ...of, begins: 'app-11', limit: 50 })
    expect(some.entities.map(({ id }) => id)).toEqual(names.slice(110, 120))
  })

  test('show all that is kept of one, whatever its name is, as text', async () => {
    for (const id of ['ada@example.com', ...SCRIPTS]) {
      const query = new URLSearchParams({ kind: 'subject', type: 'user', id })
      const text = await page(`/console/entities/one?${query}`)
      expect(text).not.toMatch(/<script|<img|<b>|href="javascript/i)
      expect(text).toContain('&quot;note&quot;')
    }
    const answer = await world.get('/console/entities/one?kind=subject&type=user&id=ada')
    expect(answer.status).toBe(404)
  })
})
