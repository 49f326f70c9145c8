import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Scope } from '../../../src/oauth/scopes.ts'
import { type ConsoleWorld, makeDevices, openConsoleWorld } from './pages-world.ts'

let world: ConsoleWorld
beforeAll(async () => {
  world = await openConsoleWorld()
})
afterAll(() => world.close())

const newDevice = async (): Promise<string> => (await makeDevices(world.fleet, 1))[0] ?? ''
const path = (id: string, action = '') => `/console/devices/${id}${action && `/${action}`}`
const detailOf = (id: string) => world.fleet.store.deviceDetail(id, world.fleet.service.clock.now())
const audited = async (id: string) => {
  const rows = await world.fleet.service.query(
    `select action, actor, detail ->> 'reason' as reason from audit where device_id = '${id}' order by at, audit_id`,
  )
  return rows.map(({ action, actor, reason }) => [action, actor, reason])
}

describe('an action', () => {
  test.each(['quarantine', 'sign-out'] as const)(
    '%s is done once and leads back',
    async (action) => {
      const id = await newDevice()
      const answer = await world.post(path(id, action), { reason: 'lost' })
      expect(answer.status).toBe(303)
      expect(answer.headers.get('location')).toBe(`${path(id)}?done=${action}`)
      const text = await (await world.get(`${path(id)}?done=${action}`)).text()
      expect(text).toContain('<div class="done" role="status">')
    },
  )

  test('is written down with who did it and why', async () => {
    const id = await newDevice()
    await world.post(path(id, 'quarantine'), { reason: 'lost on a train' })
    expect(await audited(id)).toEqual([['device.quarantined', 'person:test', 'lost on a train']])
    await world.post(path(id, 'release'), { reason: 'found' })
    expect((await detailOf(id))?.record.quarantine).toBeNull()
  })

  test('without a reason is refused on the page of the device, and nothing is done', async () => {
    const id = await newDevice()
    const answer = await world.post(path(id, 'quarantine'), { reason: '  ' })
    expect(answer.status).toBe(400)
    expect(await answer.text()).toContain('role="alert"')
    expect(await audited(id)).toEqual([])
  })

  test('on a device that nobody knows is not found', async () => {
    const answer = await world.post(path('dev_nobody', 'quarantine'), { reason: 'x' })
    expect(answer.status).toBe(404)
  })

  test('allows for a while, and the device is trusted for it', async () => {
    const id = await newDevice()
    world.fleet.service.clock.advance(7200)
    expect(await (await world.get(path(id))).text()).toContain('<span class="v stale">stale</span>')
    const answer = await world.post(path(id, 'allow'), { reason: 'waits for a part', hours: '4' })
    expect(answer.status).toBe(303)
    world.fleet.service.clock.advance(2)
    const text = await (await world.get(path(id))).text()
    expect(text).toContain('<span class="v trusted">trusted (allowance)</span>')
    const [override] = await world.fleet.store.listOverrides(10)
    expect(override).toMatchObject({ author: 'person:test', target: { kind: 'device', name: id } })
  })

  test('sets labels and names, labels with blanks and semicolons among them', async () => {
    const id = await newDevice()
    const form = { labels: 'lab 2; a\\;b ;', name: 'Ada 1', owner: 'ada@example.com', serial: '' }
    expect((await world.post(path(id, 'attributes'), form)).status).toBe(303)
    const detail = await detailOf(id)
    expect(detail?.record).toMatchObject({ owner: 'ada@example.com', labels: ['lab 2', 'a;b'] })
    expect(detail?.about).toEqual({ name: 'Ada 1', serial: null })
    const text = await (await world.get(path(id))).text()
    expect(text).toContain('value="lab 2;a\\;b"')
    expect((await world.post(path(id, 'attributes'), {})).status).toBe(303)
    expect((await detailOf(id))?.record.labels).toEqual([])
  })

  test('gives a device the place of the one before, which is quarantined', async () => {
    const [before, after] = [await newDevice(), await newDevice()]
    const changes = { owner: 'ada@example.com', serial: 'PF-9', entraDeviceId: 'entra-9' }
    const by = { by: 'test', now: world.fleet.service.clock.now() }
    await world.fleet.store.setDeviceAttributes({
      deviceId: before,
      changes: { ...changes, labels: ['vip'] },
      ...by,
    })
    const form = { replaced: before, reason: 'new mainboard' }
    expect((await world.post(path(after, 'replaces'), form)).status).toBe(303)
    expect((await detailOf(after))?.record).toMatchObject({
      owner: 'ada@example.com',
      entraDeviceId: 'entra-9',
      labels: ['vip'],
    })
    const old = await detailOf(before)
    expect(old?.record).toMatchObject({
      entraDeviceId: null,
      quarantine: { reason: `replaced by ${after}: new mainboard` },
    })
    expect(old?.about.serial).toBeNull()
    // Whoever was interrupted does it again.
    expect((await world.post(path(after, 'replaces'), form)).status).toBe(303)
    expect((await detailOf(after))?.about.serial).toBe('PF-9')
    expect(
      (await world.post(path(after, 'replaces'), { ...form, replaced: 'dev_nobody' })).status,
    ).toBe(400)
  })
})

describe('what takes two administrators', () => {
  const OPERATOR: readonly Scope[] = ['admin.read', 'admin.operate']
  const APPROVING: readonly Scope[] = [...OPERATOR, 'admin.approve']

  test('ATTACK: an allowance by two of whom none may approve', async () => {
    const form = { reason: 'waits for a part', hours: '4' }
    const two = await openConsoleWorld(undefined, { SECOND_ADMINISTRATOR: 'required' })
    onTestFinished(() => two.close())
    const [id = ''] = await makeDevices(two.fleet, 1)
    const send = async (person: string, scopes: readonly Scope[]) =>
      (await two.post(path(id, 'allow'), form, scopes, person)).status
    expect(await send('person:one', OPERATOR)).toBe(202)
    expect(await send('person:two', OPERATOR)).toBe(202)
    // One's own request is none to approve of.
    expect(await send('person:one', APPROVING)).toBe(202)
    expect(await send('person:three', APPROVING)).toBe(303)
  })
})
