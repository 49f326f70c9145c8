import { afterAll, describe, expect, test } from 'vitest'
import { sweepFleet } from '../../../src/operations/jobs/sweep.ts'
import { policyWith } from '../../operations/release/documents.ts'
import type { Json } from '../../support/json.ts'
import { putInForce } from '../../support/put-in-force.ts'
import {
  createTestService,
  expectProblem,
  readOk,
  startDevice,
  testClock,
} from '../../support/service.ts'
import { attestMinted, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const clock = testClock()
const service = await createTestService({ database, clock })
await rememberHealthy(service, await startDevice())
const read = await service.as('admin.read')
const write = await service.as('admin.write')
afterAll(() => database.close())

const get = (path: string) => service.request(path, { headers: read })
const list = async (query: string): Promise<Json> => readOk(await get(`/v1/devices?${query}`))
const ids = async (query: string): Promise<string[]> => {
  const { devices } = await list(query)
  return devices.map((device: { device_id: string }) => device.device_id)
}
const patch = async (id: string, body: object) =>
  readOk(await service.post(`/v1/devices/${id}`, body, { method: 'PATCH', headers: write }))

async function attest(claims: object): Promise<string> {
  const { answer, deviceId } = await attestMinted(service, { claims: { ...claims } })
  await readOk(answer, 201)
  return deviceId
}

const off = await attest({ secureBootEnabled: false })
const reported = await attest({ bitlockerEnabled: false })
const both = await attest({ secureBootEnabled: false, bitlockerEnabled: false })
await patch(off, { owner: 'Ada', labels: ['lab', 'vip'], name: 'Ada 1', serial: 'PF-1' })
await patch(both, { owner: 'Ada', labels: ['lab'] })
const all = [off, reported, both].sort()

describe('devices are found', () => {
  test.each([
    ['by a clause', 'clause=secure_boot_on', [off, both]],
    ['by a clause that is only reported', 'clause=bitlocker_on&severity=report', [reported, both]],
    ['by no clause of another severity', 'clause=bitlocker_on&severity=enforce', []],
    ['by a clause that nobody has', 'clause=none', []],
    ['by label', 'label=LAB', [off, both]],
    ['by several labels', 'label=lab&label=vip', [off]],
    ['by owner', 'owner=ADA', [off, both]],
    ['by the beginning of a name', 'search=ada%201', [off]],
    ['by a serial number', 'search=pf-', [off]],
    ['by verifier', `issuer=${encodeURIComponent(service.url)}`, all],
    ['by when they attested', 'attested_before=2026-03-02', []],
    ['by when they attested, with a time', 'attested_after=2026-03-02T08:00:00Z', all],
    ['by an exception, of which there is none', 'override=any', []],
    [
      'by several at once',
      'clause=secure_boot_on&label=lab&owner=ada&verdict=untrusted',
      [off, both],
    ],
  ])('%s', async (_, query, expected) => {
    // What is enforced has no grace in the baseline: what the fixture lacks is undecidable for all.
    expect(await ids(query)).toEqual([...expected].sort())
  })

  test('with the value that is there beside the one that is needed', async () => {
    const { devices } = await list('clause=bitlocker_on&severity=report')
    const { unmet } = devices.find((one: Json) => one.device_id === reported)
    expect(unmet).toContainEqual({
      ...{ clause: 'bitlocker_on', severity: 'report', status: 'fail' },
      since: clock.now().toISOString(),
      shortfalls: [{ reads: 'attestation.bitlockerEnabled', actual: false, required: 'true' }],
    })
    const one = await readOk(await get(`/v1/devices/${reported}`))
    expect(one.unmet).toEqual(unmet)
  })

  test('and counted by clause, label and verifier', async () => {
    const { groups, devices } = await list('group_by=clause')
    expect(devices).toBe(3)
    expect(groups).toContainEqual({ group: 'secure_boot_on', severity: 'enforce', devices: 2 })
    expect(groups).toContainEqual({ group: 'bitlocker_on', severity: 'report', devices: 2 })
    expect(await list('group_by=label')).toEqual({
      group_by: 'label',
      devices: 3,
      groups: [
        { group: 'lab', devices: 2 },
        { group: 'vip', devices: 1 },
      ],
    })
    expect((await list('group_by=issuer&clause=bitlocker_on')).groups).toEqual([
      { group: service.url, devices: 2 },
    ])
  })

  test('under a policy that came after they attested, once the sweep has come by', async () => {
    const { body } = policyWith('attestation.bootCounter >= 9000', { severity: 'report' })
    const { store } = service.services
    const before = (await store.activeDocument('policy')) ?? expect.unreachable()
    const names = { author: 'test', reason: 'test', now: clock.now() }
    const policy = policyWith('attestation.bootCounter >= 9000', { severity: 'report' })
    const enforce = (hash: typeof policy.hash, document: object) =>
      putInForce(store, { ...names, kind: 'policy', hash, body: document as Json })
    await enforce(policy.hash, body)
    clock.advance(2)
    expect(await ids('clause=added')).toEqual([])
    await sweepFleet(service.services, '')
    expect(await ids('clause=added')).toEqual(all)
    await enforce(before.hash, Object(before.body))
    clock.advance(2)
    // Nobody is shown for what does not hold any more, though the sweep has not come by again.
    expect(await ids('clause=added')).toEqual([])
    await sweepFleet(service.services, '')
    expect((await list('group_by=clause')).groups.map((one: Json) => one.group)).not.toContain(
      'added',
    )
  })

  test('with an exception wherever the verdict is, and by it', async () => {
    const expires_at = new Date(clock.now().getTime() + 3_600_000).toISOString()
    const body = {
      action: 'allow',
      target: { kind: 'label', name: 'vip' },
      reason: 'lab',
      expires_at,
    }
    const made = await readOk(await service.post('/v1/overrides', body, { headers: write }), 201)
    clock.advance(2)
    for (const query of ['override=any', 'override=allow', 'label=vip']) {
      const { devices } = await list(query)
      expect([query, devices.length]).toEqual([query, 1])
      expect(devices[0]).toMatchObject({
        device_id: off,
        verdict: 'trusted',
        reasons: [],
        relief: [{ kind: 'allowance', until: expires_at }],
        overrides: [{ override_id: made.override_id, action: 'allow', reason: 'lab' }],
      })
    }
    expect(await ids('override=pin')).toEqual([])
    const one = await readOk(await get(`/v1/devices/${off}`))
    expect(one).toMatchObject({ verdict: 'trusted', relief: [{ kind: 'allowance' }] })
  })
})

describe('a parameter that a route does not know is refused, and named', () => {
  test.each([
    ['GET', '/v1/devices?clasue=x', 'clasue: there is no such parameter, did you mean clause?'],
    ['GET', '/v1/devices?verdict=trusted&verdict=stale', 'verdict: is given 2 times'],
    ['GET', '/v1/policy?x=1', 'x: there is no such parameter, and none at all here'],
    ['GET', '/v1/rollouts?page=2', 'page: there is no such parameter, but: limit'],
    ['GET', '/v1/holds?limit=1&x', 'x: '],
    ['GET', '/v1/overrides?limit=1', 'limit: '],
    ['GET', '/v1/second-requests?x=', 'x: '],
    ['GET', '/v1/audit?devise=x', 'did you mean device?'],
    ['GET', '/v1/refusals?x=1', 'x: '],
    ['GET', `/v1/devices/${off}?x=1`, 'x: '],
    ['GET', `/v1/devices/${off}/attestations?x=1`, 'x: '],
    ['POST', '/v1/previews?force=true', 'force: '],
    ['POST', `/v1/devices/${off}/quarantine?reason=x`, 'reason: '],
    ['PATCH', `/v1/devices/${off}?owner=x`, 'owner: '],
    ['PUT', '/v1/policy?at_once=true', 'at_once: '],
    ['DELETE', '/v1/overrides/ovr_x?why=x', 'why: '],
  ])('%s %s', async (method, path, detail) => {
    const headers = method === 'GET' ? read : write
    const body = method === 'GET' ? {} : { body: '{}' }
    const init = { method, headers: { ...headers, 'content-type': 'application/json' }, ...body }
    const problem = await expectProblem(await service.request(path, init), 400, 'request_malformed')
    expect(problem).toMatchObject({ detail: expect.stringContaining(detail) })
  })

  test('on every route of the administration, whoever adds one', async () => {
    const routes = service.app.routes.filter(({ method, path }) => {
      // Of agents and of relying parties.
      const isOthers =
        /^\/v1\/(?:challenge|attestations|enrolments|status-list|devices\/:id\/attestation-result)/
      if (isOthers.test(path)) return false
      return method !== 'ALL' && path.startsWith('/v1/')
    })
    expect(new Set(routes.map(({ path }) => path)).size).toBeGreaterThan(15)
    for (const { method, path } of routes) {
      const url = `${path.replace(/:\w+/g, 'x')}?nonsense=1`
      const answer = await service.request(url, { method, headers: write })
      expect([method, path, await answer.json()]).toEqual([
        method,
        path,
        expect.objectContaining({ code: 'request_malformed' }),
      ])
    }
  })

  test('and routes beside them are left alone', async () => {
    await readOk(await service.request('/healthz?x=1'))
    await readOk(await service.request('/.well-known/jwks.json?x=1'))
  })
})

describe('the audit log', () => {
  test('tells who changed what, newest first, in pages', async () => {
    const entries = (await readOk(await get(`/v1/audit?device=${off}`))).entries
    expect(entries[0]).toEqual({
      audit_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      at: expect.any(String),
      actor: expect.stringMatching(/^cli_/),
      action: 'device.attributes-set',
      device_id: off,
      detail: {
        before: { owner: null, entraDeviceId: null, name: null, serial: null, labels: [] },
        changes: { owner: 'Ada', labels: ['lab', 'vip'], name: 'Ada 1', serial: 'PF-1' },
      },
      request: {
        id: expect.any(String),
        ...{ method: 'PATCH', path: `/v1/devices/${off}`, address: 'unknown' },
      },
    })
    const [{ actor }] = entries
    const whole = await readOk(await get('/v1/audit'))
    expect(whole.entries.some((one: Json) => one.device_id === null)).toBe(true)
    expect(Date.parse(whole.until) - Date.parse(whole.since)).toBe(30 * 86_400_000)
    const seen: Json[] = []
    let before = ''
    do {
      const page: Json = await readOk(await get(`/v1/audit?limit=2${before}`))
      seen.push(...page.entries)
      before = page.next_before === null ? '' : `&before=${encodeURIComponent(page.next_before)}`
    } while (before !== '')
    expect(seen).toEqual(whole.entries)
    const mine = await readOk(await get(`/v1/audit?actor=${actor}&action=device.attributes-set`))
    expect(mine.entries).toHaveLength(2)
    const none = await readOk(await get('/v1/audit?since=2026-01-01&until=2026-01-02T00:00:00Z'))
    expect(none.entries).toEqual([])
  })

  test.each(['device=dev_x', 'since=yesterday', 'limit=0', 'limit=1001', 'before=x', 'actor='])(
    'refuses %s',
    async (query) => {
      await expectProblem(await get(`/v1/audit?${query}`), 400, 'request_malformed')
    },
  )

  test('and refused attempts are for clients that read', async () => {
    for (const path of ['/v1/audit', '/v1/refusals']) {
      const headers = await service.as('access.evaluate')
      await expectProblem(await service.request(path, { headers }), 403, 'forbidden')
      await expectProblem(await service.request(path), 401, 'unauthenticated')
    }
  })
})
