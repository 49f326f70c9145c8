import { afterAll, describe, expect, test } from 'vitest'
import { noteReason } from '../../support/refusal.ts'
import {
  createTestService,
  everythingStored,
  expectProblem,
  readOk,
  START,
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
const both = await service.as('admin.read', 'admin.write')
afterAll(() => database.close())

const UNKNOWN = `dev_${'a'.repeat(52)}`

const get = (path: string, headers = read) => service.request(path, { headers })
const post = (path: string, body: unknown, headers = write) => service.post(path, body, { headers })
const patch = (path: string, body: unknown, headers = write) =>
  service.post(path, body, { method: 'PATCH', headers })

async function attestOne(claims: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const { answer, deviceId } = await attestMinted(service, { claims })
  await readOk(answer, 201)
  return deviceId
}

const ids = [
  await attestOne(),
  await attestOne(),
  await attestOne({ secureBootEnabled: false }),
  await attestOne(),
  await attestOne(),
].sort()
const untrusted = (await readOk(await get('/v1/devices?verdict=untrusted'))).devices[0].device_id

describe('who may', () => {
  const reads = ['/v1/devices', `/v1/devices/${ids[0]}`, `/v1/devices/${ids[0]}/attestations`]
  const writes = ['quarantine', 'release', 'admit', 'sign-out'].map(
    (verb) => `/v1/devices/${ids[0]}/${verb}`,
  )

  test('look: a client that reads, and no other', async () => {
    const pep = await service.as('access.evaluate')
    for (const path of reads) {
      await readOk(await get(path))
      await expectProblem(await get(path, pep), 403, 'forbidden')
      const answer = await service.request(path)
      expect(answer.headers.get('www-authenticate')).toMatch(/^Basic realm=/)
      await expectProblem(answer, 401, 'unauthenticated')
    }
    noteReason('forbidden')
    noteReason('unauthenticated')
  })

  test('change: a client that writes, and no other', async () => {
    const before = await everythingStored(service.query)
    for (const path of writes) {
      await expectProblem(await post(path, { reason: 'x' }, read), 403, 'forbidden')
      await expectProblem(await post(path, { reason: 'x' }, {}), 401, 'unauthenticated')
    }
    const path = `/v1/devices/${ids[0]}`
    await expectProblem(await patch(path, { owner: 'x' }, read), 403, 'forbidden')
    await expectProblem(await patch(path, { owner: 'x' }, {}), 401, 'unauthenticated')
    expect(await everythingStored(service.query)).toEqual(before)
  })
})

describe('the list of devices', () => {
  test('shows all, by id', async () => {
    const { devices, next_cursor } = await readOk(await get('/v1/devices'))
    expect(devices.map((device: { device_id: string }) => device.device_id)).toEqual(ids)
    expect(next_cursor).toBeNull()
    expect(devices[0]).toEqual({
      device_id: ids[0],
      name: null,
      serial: null,
      verdict: expect.any(String),
      reasons: expect.any(Array),
      unmet: expect.any(Array),
      relief: [],
      overrides: [],
      enrolment: 'admitted',
      owner: null,
      entra_device_id: null,
      labels: [],
      ring: expect.any(Number),
      quarantined_at: null,
      issuer: service.url,
      attested_at: START.toISOString(),
      valid_until: expect.any(String),
      created_at: START.toISOString(),
    })
  })

  test('goes by pages that together show each device once', async () => {
    const seen: string[] = []
    let cursor: string | null = ''
    for (let pages = 0; cursor !== null && pages < 10; pages++) {
      const more: string = cursor === '' ? '' : `&cursor=${cursor}`
      const page = await readOk(await get(`/v1/devices?limit=2${more}`))
      expect(page.devices.length).toBeLessThanOrEqual(2)
      seen.push(...page.devices.map((device: { device_id: string }) => device.device_id))
      cursor = page.next_cursor
    }
    expect(seen).toEqual(ids)
  })

  test.each([
    ['a verdict', () => `verdict=untrusted`, () => [untrusted]],
    ['the beginning of an id', () => `search=${ids[1]?.slice(0, 20)}`, () => [ids[1]]],
    ['what nobody has', () => 'search=nobody', () => []],
    ['SQL', () => `search=${encodeURIComponent("' or 1=1 --")}`, () => []],
    ['an enrolment', () => 'enrolment=pending', () => []],
  ])('can be narrowed to %s', async (_name, query, expected) => {
    const { devices } = await readOk(await get(`/v1/devices?${query()}`))
    expect(devices.map((device: { device_id: string }) => device.device_id)).toEqual(expected())
  })

  test.each([
    'limit=0',
    'limit=201',
    'limit=ten',
    'limit=1e9',
    'limit=',
    'verdict=good',
    'enrolment=maybe',
    `search=${'a'.repeat(201)}`,
    'cursor=',
    'cursor=dev_a',
    'cursor=%27%20or%201=1',
  ])('refuses %s', async (query) => {
    await expectProblem(await get(`/v1/devices?${query}`), 400, 'request_malformed')
  })
})

describe('one device', () => {
  test('is shown with its last attestation', async () => {
    expect(await readOk(await get(`/v1/devices/${untrusted}`))).toMatchObject({
      device_id: untrusted,
      verdict: 'untrusted',
      quarantine: null,
      attestation: {
        recorded_verdict: 'untrusted',
        reasons: [{ code: 'clause_failed', clause: 'secure_boot_on' }],
        first_failed_at: { secure_boot_on: START.toISOString() },
        claims: { secureBootEnabled: false },
        issuer: service.url,
      },
    })
  })

  test('that was never seen is not found, whatever is asked of it', async () => {
    for (const id of [UNKNOWN, 'dev_a', '%01', 'x'.repeat(500), '%E0%A4%85', '..%2f..']) {
      const path = `/v1/devices/${id}`
      await expectProblem(await get(path), 404, 'device_not_found')
      await expectProblem(await get(`${path}/attestations`), 404, 'device_not_found')
      await expectProblem(await patch(path, { owner: 'x' }), 404, 'device_not_found')
      for (const verb of ['quarantine', 'release', 'admit', 'sign-out']) {
        await expectProblem(await post(`${path}/${verb}`, { reason: 'x' }), 404, 'device_not_found')
      }
    }
    noteReason('device_not_found')
  })
})

describe('the history of a device', () => {
  test('is newest first and goes by pages', async () => {
    const { deviceKey, deviceId } = await attestMinted(service)
    for (let i = 0; i < 4; i++) {
      clock.advance(10)
      await attestMinted(service, { deviceKey })
    }
    const path = `/v1/devices/${deviceId}/attestations`
    const all = await readOk(await get(path))
    const times = all.attestations.map((one: { at: string }) => one.at)
    expect(times).toHaveLength(5)
    expect(times).toEqual([...times].sort().reverse())
    const first = await readOk(await get(`${path}?limit=3`))
    const rest = await readOk(await get(`${path}?limit=3&before=${first.next_before}`))
    expect([...first.attestations, ...rest.attestations]).toEqual(all.attestations)
    expect(rest.next_before).toBeNull()
    const lost = await readOk(await get(`${path}?before=att_unknown`))
    expect(lost.attestations).toEqual([])
    await expectProblem(await get(`${path}?limit=-1`), 400, 'request_malformed')
    clock.set(START)
  })
})

describe('an administrator', () => {
  test('quarantines and releases, and repeating it changes nothing', async () => {
    const id = ids.find((one) => one !== untrusted) ?? expect.unreachable()
    const body = { reason: '  stolen  ' }
    const first = await readOk(await post(`/v1/devices/${id}/quarantine`, body, both))
    expect(first).toMatchObject({ verdict: 'quarantined', quarantine: { reason: 'stolen' } })
    const before = await everythingStored(service.query)
    clock.advance(5)
    await readOk(await post(`/v1/devices/${id}/quarantine`, { reason: 'again' }, both))
    expect(await everythingStored(service.query)).toEqual(before)
    const freed = await readOk(await post(`/v1/devices/${id}/release`, { reason: 'found' }, both))
    expect(freed).toMatchObject({ verdict: 'trusted', quarantine: null })
    clock.set(START)
    const audit = await service.query(
      `select action, actor from audit where device_id = '${id}' and actor like 'cli_%' order by at`,
    )
    expect(audit.map(({ action }) => action)).toEqual(['device.quarantined', 'device.released'])
  })

  test('sets owner, labels and Entra id, one at a time or all, and takes them away', async () => {
    const path = `/v1/devices/${ids[1]}`
    const all = { owner: 'Zoë', entra_device_id: 'e-1', labels: ['vip', 'finance'] }
    expect(await readOk(await patch(path, all))).toMatchObject(all)
    expect(await readOk(await patch(path, { owner: null }))).toMatchObject({ ...all, owner: null })
    expect(await readOk(await patch(path, {}))).toMatchObject({ ...all, owner: null })
    const { devices } = await readOk(await get('/v1/devices?search=VIP'))
    expect(devices.map((device: { device_id: string }) => device.device_id)).toEqual([ids[1]])
    const none = { owner: null, entra_device_id: null, labels: [] }
    expect(await readOk(await patch(path, none))).toMatchObject(none)
  })

  test.each([
    ['a typo', { lables: [] }],
    ['an owner that is no text', { owner: 1 }],
    ['too long an owner', { owner: 'a'.repeat(321) }],
    ['an empty label', { labels: [''] }],
    ['too many labels', { labels: Array(65).fill('a') }],
    ['a list', []],
    ['a verdict', { verdict: 'trusted' }],
    ['an enrolment', { enrolment: 'admitted' }],
  ])('cannot set %s', async (_name, body) => {
    const before = await everythingStored(service.query)
    await expectProblem(await patch(`/v1/devices/${ids[2]}`, body), 400, 'request_malformed')
    expect(await everythingStored(service.query)).toEqual(before)
  })

  test.each([{}, { reason: '' }, { reason: '   ' }, { reason: 'a'.repeat(501) }, { reason: 1 }])(
    'has to give a reason, and not %j',
    async (body) => {
      const answer = await post(`/v1/devices/${ids[2]}/quarantine`, body)
      await expectProblem(answer, 400, 'request_malformed')
    },
  )

  test('lists a device by its key before it attests, once', async () => {
    const device_key = Buffer.alloc(32, 0x2a).toString('base64')
    const body = { device_key, owner: 'ops', labels: ['kiosk'] }
    const listed = await readOk(await post('/v1/devices', body), 201)
    expect(listed).toMatchObject({
      verdict: 'unknown',
      enrolment: 'admitted',
      owner: 'ops',
      labels: ['kiosk'],
      attestation: null,
    })
    const again = await readOk(await post('/v1/devices', { device_key, owner: 'someone else' }))
    expect(again).toEqual(listed)
    await expectProblem(await post('/v1/devices', body, read), 403, 'forbidden')
    for (const wrong of ['', 'AAAA', Buffer.alloc(31).toString('base64'), 7]) {
      const answer = await post('/v1/devices', { device_key: wrong })
      await expectProblem(answer, 400, 'request_malformed')
    }
    const more = await post('/v1/devices', { device_key, reason: 'bought' })
    const { detail } = await expectProblem(more, 400, 'request_malformed')
    expect(detail).toBe('there is no member "reason" here: leave it out')
    const misspelt = await post('/v1/devices', { device_key, label: ['kiosk'] })
    expect((await expectProblem(misspelt, 400, 'request_malformed')).detail).toBe(
      'there is no member "label" here: did you mean labels?',
    )
  })

  test('is told what is wrong with a body before anything is done', async () => {
    const path = `/v1/devices/${ids[2]}/quarantine`
    const send = (init: object) => service.post(path, null, { headers: write, ...init })
    await expectProblem(await send({ body: '{' }), 400, 'body_not_json')
    await expectProblem(await send({ body: '' }), 400, 'body_not_json')
    const text = { headers: { ...write, 'content-type': 'text/plain' } }
    await expectProblem(await send(text), 415, 'content_type_not_json')
    const huge = { body: JSON.stringify({ reason: 'a'.repeat(9_000) }) }
    await expectProblem(await send(huge), 413, 'body_too_large')
    expect((await readOk(await get(`/v1/devices/${ids[2]}`))).quarantine).toBeNull()
  })
})
