import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { forRequest } from '../../../src/base/audited-request.ts'
import { type ConsoleWorld, makeDevices, openConsoleWorld, SCRIPTS } from './pages-world.ts'

let world: ConsoleWorld
beforeAll(async () => {
  world = await openConsoleWorld()
})
afterAll(() => world.close())

const rowsOf = (text: string) =>
  [...text.matchAll(/<tr><th scope="row">[\s\S]*?<\/tr>/g)].map(String)
const page = async (query = ''): Promise<string> => {
  const answer = await world.get(`/console/audit${query}`)
  const text = await answer.text()
  expect(answer.status, text).toBe(200)
  return text
}
const newDevice = async () => (await makeDevices(world.fleet, 1))[0] ?? ''
/** Writes an entry of a device; the clock goes on, so that no two are of one moment. */
const quarantine = async (deviceId: string, by: string, reason = 'lost') => {
  world.fleet.service.clock.advance(60)
  const now = world.fleet.service.clock.now()
  await world.fleet.store.quarantineDevice({ deviceId, reason, by, now })
}

describe('the audit log', () => {
  test('shows who changed what, why, and what it was before', async () => {
    const id = await newDevice()
    await world.fleet.store.setDeviceAttributes({
      ...{ deviceId: id, changes: { owner: 'ada@example.com' }, by: 'ada' },
      now: world.fleet.service.clock.now(),
    })
    await quarantine(id, 'person:desk', 'lost on a train')
    const [quarantined = '', labelled = ''] = rowsOf(await page(`?device=${id}`))
    expect(quarantined).toContain('device.quarantined')
    expect(quarantined).toContain('person:desk')
    expect(quarantined).toContain('<div class="thin">lost on a train</div>')
    expect(labelled).toContain(
      'owner: <del>nothing</del> <span aria-hidden="true">→</span> <ins>ada@example.com</ins>',
    )
  })

  test.each([
    ['actor=person%3Aone', ['person:one', 'person:one']],
    ['actor=person%3Aone&action=device.released', ['person:one']],
    ['action=device.quarantined&actor=person%3Atwo', ['person:two']],
    ['actor=person%3Aone&until=2026-01-01T00:00', []],
  ])('is found by %s', async (query, actors) => {
    const [one, two] = [await newDevice(), await newDevice()]
    await quarantine(one, 'person:one')
    await quarantine(two, 'person:two')
    const now = world.fleet.service.clock.now()
    const change = { deviceId: one, reason: 'found', by: 'person:one', now }
    await world.fleet.store.releaseDevice(change)
    const text = `${await page(`?${query}&device=${one}`)}${await page(`?${query}&device=${two}`)}`
    const found = rowsOf(text).map((row) => /<div class="thin"><a [^>]*>([^<]*)</.exec(row)?.[1])
    expect(found).toEqual(actors)
  })

  test('goes on behind the last entry, whatever comes meanwhile', async () => {
    const actor = 'person:pages'
    for (let made = 0; made < 120; made++) await quarantine(await newDevice(), actor)
    const seen: string[] = []
    let path: string | undefined = `?actor=${actor}`
    while (path !== undefined) {
      const text: string = await page(path)
      seen.push(
        ...[...text.matchAll(/href="\/console\/devices\/(dev_\w+)"/g)].map(([, id = '']) => id),
      )
      await quarantine(await newDevice(), actor)
      path = /rel="next" href="\/console\/audit([^"]*)"/.exec(text)?.[1]?.replaceAll('&amp;', '&')
    }
    expect(seen).toHaveLength(120)
    expect(new Set(seen).size).toBe(120)
  })

  test.each(['device=nobody', 'since=yesterday', 'since=2026-02-31T00:00', 'before=x', 'who=x'])(
    'says what is wrong with %s, and keeps the form',
    async (query) => {
      const answer = await world.get(`/console/audit?${query}`)
      expect(answer.status).toBe(400)
      const text = await answer.text()
      expect(text).toContain('role="alert"')
      expect(text).toContain('<form class="fields" method="get" action="/console/audit"')
    },
  )

  test('leaves empty fields out of its address', async () => {
    const answer = await world.get('/console/audit?actor=ada&action=&device=&since=')
    expect(answer.headers.get('location')).toBe('/console/audit?actor=ada')
  })

  test('says by which request an entry came, and from where', async () => {
    const id = await newDevice()
    const request = { id: 'req_of_ada', method: 'POST', path: '/v1/x', address: '192.0.2.7' }
    await forRequest(request, () => quarantine(id, 'person:ada'))
    const [row = ''] = rowsOf(await page(`?device=${id}`))
    expect(row).toContain('<code>req_of_ada</code>')
    expect(row).toContain('<small>address</small> 192.0.2.7')
  })

  test('shows scripts in actors, reasons and details as text', async () => {
    const id = await newDevice()
    for (const script of SCRIPTS) {
      await quarantine(id, script, script)
      await world.fleet.store.setDeviceAttributes({
        ...{ deviceId: id, changes: { owner: script, labels: [script] }, by: script },
        now: world.fleet.service.clock.now(),
      })
    }
    const text = await page(`?device=${id}`)
    expect(text).not.toMatch(/<script|<img|<b>|href="javascript/i)
    expect(text).toContain('&lt;script&gt;window.pwned=1&lt;/script&gt;')
  })
})
