import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Scope } from '../../../src/oauth/scopes.ts'
import { type ConsoleWorld, openConsoleWorld, SCRIPTS } from './pages-world.ts'

let world: ConsoleWorld
beforeAll(async () => {
  world = await openConsoleWorld()
})
afterAll(() => world.close())

const PATH = '/console/clients'
const secretIn = (text: string) => /<dt>Secret<\/dt><dd><code>([^<]+)</.exec(text)?.[1] ?? ''
const idIn = (text: string) => /<dt>Client<\/dt><dd><code>(cli_[^<]+)</.exec(text)?.[1] ?? ''

const create = async (form: Readonly<Record<string, string>>) => {
  const answer = await world.post(PATH, form)
  const text = await answer.text()
  expect(answer.status, text).toBe(200)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  return { id: idIn(text), secret: secretIn(text) }
}
/** As a program would try the pair: 403 where it may not do that, 401 where it is not known. */
const statusAs = async (id: string, secret: string, path = '/v1/devices') => {
  world.fleet.service.clock.advance(60)
  const authorization = `Basic ${btoa(`${id}:${secret}`)}`
  return (await world.fleet.service.request(path, { headers: { authorization } })).status
}

describe('a client', () => {
  test('is made with the scopes of its roles and others, and its secret works', async () => {
    const { id, secret } = await create({ name: 'desk', 'role.viewer': 'on' })
    expect(await statusAs(id, secret)).toBe(200)
    const other = await create({ name: 'gateway', 'scope.access.evaluate': 'on' })
    expect(await statusAs(other.id, other.secret)).toBe(403)
    const stored = await world.fleet.store.listClients()
    expect(stored.find(({ clientId }) => clientId === id)).toMatchObject({
      name: 'desk',
      scopes: ['admin.read'],
    })
  })

  test('has its secret on no other page', async () => {
    const { id, secret } = await create({ name: 'once', 'role.viewer': 'on' })
    for (const path of [PATH, `${PATH}/${id}`, '/console/audit']) {
      expect(await (await world.get(path)).text()).not.toContain(secret)
    }
  })

  test.each([
    [{ name: 'none' }],
    [{ name: '  ', 'role.viewer': 'on' }],
    [{ name: 'x', 'role.king': 'on' }],
    [{ name: 'x', 'scope.admin.read': 'yes' }],
  ])('is not made of %o', async (form) => {
    const before = (await world.fleet.store.listClients()).length
    const answer = await world.post(PATH, form)
    expect(answer.status).toBe(400)
    expect(await answer.text()).toContain('role="alert"')
    expect(await world.fleet.store.listClients()).toHaveLength(before)
  })

  test('gets another secret, and the one before counts for a while, or not at all', async () => {
    const { id, secret } = await create({ name: 'rotated', 'role.viewer': 'on' })
    const rotate = (overlap: string) => world.post(`${PATH}/${id}/rotate`, { overlap })
    const second = secretIn(await (await rotate('24h')).text())
    expect(await statusAs(id, second)).toBe(200)
    expect(await statusAs(id, secret)).toBe(200)
    const early = await rotate('24h')
    expect(early.status).toBe(409)
    expect(await early.text()).toContain('Two secrets of it count already.')
    const third = secretIn(await (await rotate('none')).text())
    expect(await statusAs(id, third)).toBe(200)
    expect(await statusAs(id, second)).toBe(401)
    expect(await statusAs(id, secret)).toBe(401)
    expect((await rotate('forever')).status).toBe(400)
  })

  test('is disabled, and may do nothing any more', async () => {
    const { id, secret } = await create({ name: 'gone', 'role.viewer': 'on' })
    const answer = await world.post(`${PATH}/${id}/disable`, {})
    expect(answer.status).toBe(303)
    expect(answer.headers.get('location')).toBe(`${PATH}/${id}?done=disable`)
    expect(await statusAs(id, secret)).toBe(401)
    const text = await (await world.get(`${PATH}/${id}?done=disable`)).text()
    expect(text).toContain('<div class="done" role="status">')
    expect(text).not.toContain('/disable"')
    const rows = await world.fleet.service.query(
      `select actor from audit where action = 'client.disabled' and detail::text like '%${id}%'`,
    )
    expect(rows.map(({ actor }) => actor)).toEqual(['person:test'])
  })

  test('that nobody knows is not found', async () => {
    for (const path of ['', '/rotate', '/disable']) {
      const target = `${PATH}/cli_nobody${path}`
      const answer =
        path === '' ? await world.get(target) : await world.post(target, { overlap: '24h' })
      expect(answer.status).toBe(404)
    }
  })

  test('is changed by the owner alone, and others see no form for it', async () => {
    const { id } = await create({ name: 'seen', 'role.viewer': 'on' })
    for (const scope of ['admin.read', 'admin.operate', 'admin.author'] as const) {
      const scopes: readonly Scope[] = ['admin.read', scope]
      for (const path of [PATH, `${PATH}/${id}`]) {
        const text = await (await world.get(path, scopes)).text()
        expect(text).not.toContain(`action="${PATH}`)
      }
    }
  })

  test('shows its name as text, whatever it is', async () => {
    for (const script of SCRIPTS) await create({ name: script, 'role.viewer': 'on' })
    const text = await (await world.get(PATH)).text()
    expect(text).not.toMatch(/<script|<img|<b>|href="javascript/i)
    expect(text).toContain('&lt;script&gt;window.pwned=1&lt;/script&gt;')
  })
})

describe('the keys', () => {
  test('are shown by purpose, drawn over time, and rotated', async () => {
    const text = await (await world.get('/console/keys')).text()
    expect(text).toContain('<h2 id="keys-attestation">Attestation tokens</h2>')
    expect(text).toMatch(/<rect class="passed" x="[\d.]+"/)
    const answer = await world.post('/console/keys/attestation/rotate', {})
    expect(answer.status).toBe(303)
    const after = await (await world.get('/console/keys?done=rotate')).text()
    expect(after).toContain('<span class="v stale">published</span>')
    const again = await world.post('/console/keys/attestation/rotate', {})
    expect(again.status).toBe(409)
    expect(await again.text()).toMatch(/Not now: .* is published already, and signs from/)
  })

  test.each(['nothing', '__proto__'])('of %s there are none to rotate', async (use) => {
    expect((await world.post(`/console/keys/${use}/rotate`, {})).status).toBe(404)
  })

  test('are rotated by the owner alone, and never shown with their private halves', async () => {
    const text = await (await world.get('/console/keys', ['admin.read'])).text()
    expect(text).not.toContain('/rotate"')
    const keys = await world.fleet.store.listSigningKeys()
    for (const { sealedPrivateKey } of keys) {
      if (sealedPrivateKey !== null) expect(text).not.toContain(sealedPrivateKey)
    }
  })
})
