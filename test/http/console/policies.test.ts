import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Scope } from '../../../src/oauth/scopes.ts'
import { policyWith } from '../../operations/release/documents.ts'
import { type ConsoleWorld, makeDevices, openConsoleWorld, SCRIPTS } from './pages-world.ts'

const POLICY = '/console/policies/policy'
const version = (hash: string) => `${POLICY}/versions/${hash}`
const textOf = (document: object) => `${JSON.stringify(document, undefined, 2)}\n`
const AUTHOR: readonly Scope[] = ['admin.read', 'admin.author']
const APPROVER: readonly Scope[] = ['admin.read', 'admin.approve']
const BAD = { bitlockerEnabled: false }

let world: ConsoleWorld
beforeAll(async () => {
  world = await openConsoleWorld()
  await makeDevices(world.fleet, 6, { ring: 3 })
  await makeDevices(world.fleet, 2, { ring: 40, claims: BAD })
})
afterAll(() => world.close())

const page = async (path: string, of = world): Promise<string> => {
  const answer = await of.get(path)
  const text = await answer.text()
  expect(answer.status, text).toBe(200)
  return text
}
const keep = async (document: object, of = world): Promise<string> => {
  const form = { do: 'keep', document: textOf(document), reason: 'a try' }
  const answer = await of.post(`${POLICY}/edit`, form, AUTHOR)
  expect(answer.status, await answer.clone().text()).toBe(303)
  return (
    /versions\/([0-9a-f]{64})\?done=keep$/.exec(answer.headers.get('location') ?? '')?.[1] ?? ''
  )
}
const activeHash = async (of = world) => (await of.fleet.store.activeDocument('policy'))?.hash
const release = (hash: string, form: object = {}, of = world) =>
  of.post(`${version(hash)}/release`, { way: 'by_size', reason: 'it is time', ...form }, AUTHOR)

describe('the editor', () => {
  test('shows what is in force, and says with line and column what is wrong', async () => {
    const text = await page(`${POLICY}/edit`)
    expect(text).toContain('&quot;id&quot;: &quot;secure_boot_on&quot;')
    const document = textOf(policyWith('attestation.enclaveSvn >= 7').body).replace(
      'enclaveSvn >= 7',
      'enclaveSvm >= 7',
    )
    const line = document.split('\n').findIndex((one) => one.includes('enclaveSvm')) + 1
    const answer = await world.post(`${POLICY}/edit`, { do: 'check', document }, AUTHOR)
    const checked = await answer.text()
    expect(checked).toMatch(
      new RegExp(`<strong>Line ${line}, column \\d+: error</strong> in clause <code>added`),
    )
    expect(checked).toContain('Did you mean <code>')
    expect(checked).toContain('aria-invalid="true"')
  })

  test.each(['{', 'null', '[]', '{"clauses": 1}', ''])('refuses to keep %j', async (document) => {
    const before = await world.fleet.store.listDocuments('policy', 100)
    const form = { do: 'keep', document, reason: 'a try' }
    const answer = await world.post(`${POLICY}/edit`, form, AUTHOR)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
    expect(await world.fleet.store.listDocuments('policy', 100)).toEqual(before)
  })

  test('keeps nothing without a reason, and takes line ends as forms send them', async () => {
    const { body, hash } = policyWith('attestation.enclaveSvn >= 3')
    const document = textOf(body).replaceAll('\n', '\r\n')
    const answer = await world.post(`${POLICY}/edit`, { do: 'keep', document }, AUTHOR)
    expect(answer.status).toBe(400)
    expect(await keep(JSON.parse(document))).toBe(hash)
  })

  test('lists every claim with its meaning', async () => {
    const text = await page(`${POLICY}/edit`)
    expect(text).toContain('<code>attestation.bitlockerEnabled</code>')
    expect(text).toContain('<code>device.ring</code>')
  })

  test('shows a document as text, whatever is in it', async () => {
    for (const script of [...SCRIPTS, '</textarea><script>window.pwned=1</script>']) {
      const form = {
        do: 'check',
        document: JSON.stringify({ name: script, clauses: [] }),
        reason: script,
      }
      const text = await (await world.post(`${POLICY}/edit`, form, AUTHOR)).text()
      expect(text.match(/<\/textarea>/g)).toHaveLength(1)
      expect(text).not.toMatch(/<script|<img|<b>|href="javascript/i)
    }
  })
})

describe('a version', () => {
  test('says by which clauses it differs, and line by line', async () => {
    const hash = await keep(policyWith('attestation.enclaveSvn >= 4').body)
    const text = await page(version(hash))
    expect(text).toContain('<li>clause <code>added</code> added</li>')
    expect(text).toMatch(/<ins>\+ .*enclaveSvn &gt;= 4/)
  })

  test('shows a preview as bars of who would be denied by what, with example devices', async () => {
    const hash = await keep(policyWith('attestation.bitlockerEnabled').body)
    expect(await page(version(hash))).toContain('Nobody has looked yet')
    const answer = await world.post(`${version(hash)}/preview`, {}, AUTHOR)
    expect(answer.headers.get('location')).toBe(`${version(hash)}?done=preview`)
    const text = await page(version(hash))
    const row = /<tr><th scope="row"><code>added<\/code>[\s\S]*?<\/tr>/.exec(text)?.[0]
    expect(row).toContain('<td class="n">2</td>')
    expect(row?.match(/href="\/console\/devices\/dev_/g)).toHaveLength(2)
  })

  test('is not released while devices would be denied that nobody accepts, then it is', async () => {
    const hash = await keep(policyWith('attestation.bitlockerEnabled').body)
    const before = await activeHash()
    const refused = await release(hash)
    expect(refused.status).toBe(409)
    expect(await refused.text()).toContain('2 devices would be denied that are allowed now')
    expect(await activeHash()).toBe(before)
    const released = await release(hash, { accept_denials: '2' })
    expect(released.headers.get('location')).toBe(`${POLICY}?done=activated`)
    expect(await activeHash()).toBe(hash)
  })

  test('is taken back to the one before, once', async () => {
    const active = await world.fleet.store.activeDocument('policy')
    const form = { reason: 'a mistake', expected: active?.hash ?? '' }
    const answer = await world.post(`${POLICY}/rollback`, form, AUTHOR)
    expect(answer.headers.get('location')).toBe(`${POLICY}?done=rollback`)
    expect(await activeHash()).toBe(active?.previous)
    const again = await world.post(`${POLICY}/rollback`, form, AUTHOR)
    expect(again.status).toBe(409)
  })

  test.each(['0'.repeat(64), 'nothing', '%00'])('%s is not found', async (hash) => {
    expect((await world.get(version(hash))).status).toBe(404)
    expect((await world.post(`${version(hash)}/preview`, {}, AUTHOR)).status).toBe(404)
    expect((await release(hash)).status).toBe(404)
  })

  test('shows its text, reason and author as text', async () => {
    const { store, service } = world.fleet
    const { kind, hash, body } = policyWith('attestation.enclaveSvn >= 5', { id: 'scripted' })
    const named = { author: SCRIPTS[0], reason: SCRIPTS[1], now: service.clock.now() }
    await store.proposeDocument({ kind, hash, body: JSON.parse(JSON.stringify(body)), ...named })
    for (const path of [version(hash), POLICY]) {
      const text = await page(path)
      expect(text).not.toMatch(/<script|<img|<b>|href="javascript/i)
      expect(text).toContain('&lt;script&gt;window.pwned=1&lt;/script&gt;')
    }
  })
})

describe('a rollout', () => {
  test('fills its rings, is paused by whoever is on call, and resumed, promoted and reverted by its author', async () => {
    const own = await openConsoleWorld()
    await makeDevices(own.fleet, 6, { ring: 3 })
    const before = await activeHash(own)
    const hash = await keep(policyWith('attestation.enclaveSvn >= 1').body, own)
    const started = await release(hash, { way: 'rollout' }, own)
    expect(started.headers.get('location')).toBe(`${POLICY}?done=rollout`)
    const steer = async (verb: string, scopes: readonly Scope[]) => {
      const text = await page(POLICY, own)
      const [, id = ''] = /rollouts\/([^/"]+)\/revert"/.exec(text) ?? []
      const [, revision = ''] = /name="revision" value="(\d+)"/.exec(text) ?? []
      const path = `/console/policies/rollouts/${id}/${verb}`
      const answer = await own.post(path, { reason: verb, revision }, scopes)
      expect(answer.headers.get('location'), await answer.clone().text()).toBe(
        `${POLICY}?done=${verb}`,
      )
    }
    expect(await page(POLICY, own)).toContain('<td>under way</td>')
    await steer('pause', ['admin.read', 'admin.operate'])
    expect((await own.fleet.store.listRollouts(1))[0]).toMatchObject({ state: 'paused' })
    await steer('resume', AUTHOR)
    await steer('promote', AUTHOR)
    expect((await own.fleet.store.listRollouts(1))[0]).toMatchObject({ state: 'running', stage: 1 })
    await steer('revert', AUTHOR)
    expect((await own.fleet.store.listRollouts(1))[0]).toMatchObject({ state: 'reverted' })
    expect(await activeHash(own)).toBe(before)
    expect(await page(POLICY, own)).toContain('Rollouts that are over')
    await own.close()
  })
})

describe('a second administrator', () => {
  let two: ConsoleWorld
  let hash: string
  beforeAll(async () => {
    two = await openConsoleWorld(undefined, { SECOND_ADMINISTRATOR: 'required' })
    await makeDevices(two.fleet, 3)
    hash = await keep(policyWith('attestation.enclaveSvn >= 2').body, two)
  })
  afterAll(() => two.close())
  const form = { way: 'by_size', reason: 'it is time' }
  const approve = (person: string, more: object = {}) =>
    two.post(`${version(hash)}/approve`, { ...form, ...more }, APPROVER, person)

  test('approves nothing that nobody else has asked for', async () => {
    const before = await activeHash(two)
    expect((await approve('person:two')).status).toBe(409)
    expect(await two.fleet.store.listSecondRequests(two.fleet.service.clock.now())).toEqual([])
    expect(await activeHash(two)).toBe(before)
  })

  test('is waited for, and gets a link with all that was asked for', async () => {
    const before = await activeHash(two)
    const asked = await release(hash, {}, two)
    expect(asked.status).toBe(202)
    expect(await asked.text()).toContain(`/console/policies/policy/versions/${hash}?way=by_size`)
    expect(await activeHash(two)).toBe(before)
    // Who asked is not the second, by whichever way.
    expect((await approve('person:test')).status).toBe(409)
    expect((await release(hash, {}, two)).status).toBe(202)
    expect(await activeHash(two)).toBe(before)
  })

  test('who sends something else releases nothing', async () => {
    const before = await activeHash(two)
    expect((await approve('person:two', { accept_denials: '9' })).status).toBe(409)
    expect(await activeHash(two)).toBe(before)
  })

  test('sees what waits, approves it, and it is in force', async () => {
    const seen = await (await two.get(version(hash), APPROVER)).text()
    expect(seen).toContain(`action="${version(hash)}/approve"`)
    expect(seen).not.toContain(`action="${version(hash)}/release"`)
    const answer = await approve('person:two')
    expect(answer.headers.get('location'), await answer.clone().text()).toBe(
      `${POLICY}?done=activated`,
    )
    expect(await activeHash(two)).toBe(hash)
  })
})

describe('reference values', () => {
  test('are shown with their ends, what ends first before the others', async () => {
    const text = await page('/console/policies/reference-values')
    expect(text).toContain('<h2 id="listed">What is listed</h2>')
    expect(text).toContain('<td>enclave</td>')
  })
})

test('forms are shown to nobody whose roles do not allow them', async () => {
  const { hash } = policyWith('attestation.enclaveSvn >= 3')
  for (const path of [POLICY, version(hash)]) {
    const text = await (await world.get(path, ['admin.read'])).text()
    expect(text).not.toContain('<form method="post" action="/console/policies')
    expect(text).not.toContain('method="post" action="/console/policies')
  }
})
