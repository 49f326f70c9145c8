import { afterAll, expect, test } from 'vitest'
import { documentOf } from '../../policy/healthy-device.ts'
import { enforce } from '../../support/recorded-fleet.ts'
import { expectOk } from '../../support/refusal.ts'
import { createTestService, readOk, startDevice } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const service = await createTestService({ database, env: { SECOND_ADMINISTRATOR: 'required' } })
const first = await service.as('admin.write')
const second = await service.as('admin.write', 'admin.read')
const { store } = service.services
afterAll(() => database.close())

type Headers = typeof first

let labels = 0
const allowance = (change: object = {}) => ({
  action: 'allow',
  target: { kind: 'label', name: `label-${labels}` },
  reason: 'the update broke them',
  expires_at: new Date(service.clock.now().getTime() + 3_600_000).toISOString(),
  ...change,
})
const create = (body: object, headers: Headers) => service.post('/v1/overrides', body, { headers })
const isMade = async () => (await store.listOverrides(10)).length > 0
const waiting = async () =>
  (await readOk(await service.request('/v1/second-requests', { headers: second }))).second_requests

const inForce = async (kind: 'policy' | 'reference-values') =>
  (await store.activeDocument(kind))?.hash ?? ''

test('what is dangerous waits for another administrator, and is done once then', async () => {
  const answer = await readOk(await create(allowance(), first), 202)
  expect(answer.waits_for).toBe('second_administrator')
  expect(await waiting()).toMatchObject([{ request: 'POST /v1/overrides' }])
  expect(await isMade()).toBe(false)

  const made = await readOk(await create(allowance({ reason: 'I see it too' }), second), 201)
  expect(await isMade()).toBe(true)
  expect(await waiting()).toEqual([])
  const audit = await service.query(
    `select action from audit where action like 'request.%' order by action desc`,
  )
  expect(audit.map(({ action }) => action)).toEqual([
    'request.waits-for-second',
    'request.seconded',
  ])
  await store.endOverride({
    overrideId: made.override_id,
    by: 'test',
    reason: 'test',
    now: service.clock.now(),
  })
  // It is used up: the next one waits again.
  await readOk(await create(allowance(), second), 202)
  expect(await isMade()).toBe(false)
})

test('nobody is their own second, however often they ask', async () => {
  labels += 1
  for (let time = 0; time < 3; time++) await readOk(await create(allowance(), first), 202)
  expect(await isMade()).toBe(false)
  const events = await service.query(
    `select 1 from outbox where type = 'second-administrator-needed'`,
  )
  expect(events).toHaveLength(3)
})

test('a second that asks for something else, or too late, is none', async () => {
  labels += 1
  const body = allowance()
  await readOk(await create(body, first), 202)
  const later = new Date(Date.parse(body.expires_at) + 1).toISOString()
  await readOk(await create({ ...body, expires_at: later }, second), 202)
  const long = new Date(service.clock.now().getTime() + 86_400_000).toISOString()
  const lasting = { ...body, expires_at: long }
  await readOk(await create(lasting, first), 202)
  service.clock.advance(3601)
  await readOk(await create(lasting, second), 202)
  expect(await isMade()).toBe(false)
})

test('a budget of its own makes a rollout dangerous, however little its preview found', async () => {
  const body = {
    kind: 'policy',
    hash: 'f'.repeat(64),
    reason: 'agent 9',
    plan: { bake_seconds: 0, budget: { devices: 1_000_000 } },
  }
  const before = await store.activeDocument('policy')
  const now = service.clock.now()
  await enforce(store, 'policy', { body: documentOf('true || true'), now })
  // One may return to the document from before, but not with a budget of one's own.
  const hash = before?.hash ?? ''
  const answer = await service.post('/v1/rollouts', { ...body, hash }, { headers: first })
  expect((await readOk(answer, 202)).waits_for).toBe('second_administrator')
  expect(await store.listRollouts(1)).toEqual([])
  await enforce(store, 'policy', { body: before?.body ?? null, now })
})

test('an allowance for one device, or many one by one, waits as one for a label does', async () => {
  const target = { kind: 'device', name: 'dev_unknown' }
  await readOk(await create(allowance({ target }), first), 202)
  const pin = { action: 'pin', kind: 'policy', hash: await inForce('policy') }
  await readOk(await create(allowance({ ...pin, target }), first), 202)
  expect(await isMade()).toBe(false)
})

test('two who send it at once are one request, done once', async () => {
  const holdId = 'hld_both'
  const now = service.clock.now()
  await store.beginHold({
    holdId,
    cause: { kind: 'clause', clause: 'secure_boot_on' },
    covers: now,
    until: new Date(now.getTime() + 3_600_000),
    evidence: {},
    lengthen: false,
    most: 3,
    restMs: 0,
    now,
  })
  const end = (headers: Headers) =>
    service.post(`/v1/holds/${holdId}/end`, { reason: 'it is real' }, { headers })
  const answers = await Promise.all([end(first), end(second)])
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 202])
  expect((await store.listHolds(1))[0]?.endedAt).toEqual(now)
})

const CLAUSE = { severity: 'enforce', texts: { en: { title: 'x', repair: 'y' } } } as const
const policyOf = (id: string, require: string) => ({
  name: id,
  clauses: [{ ...CLAUSE, id, require }],
})
const put = (document: object, headers: Headers, kind = 'policy', more: object = {}) =>
  service.request(`/v1/${kind}`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ reason: 'r', document, ...more }),
  })

test.each([
  ['denies every device', policyOf('nobody', 'attestation.enclaveSvn > 1000000')],
  ['trusts whatever boots', policyOf('anybody', 'attestation.tpmVersion == 2')],
  ['asks only about the request', policyOf('asks', 'action.name == "signin"')],
])('a policy that %s takes two, however few devices there are', async (_, document) => {
  const before = await inForce('policy')
  await readOk(await put(document, first), 202)
  await readOk(await put(document, first), 202)
  expect(await inForce('policy')).toBe(before)
})

test('reference values, and with them enclaves and trust anchors, take two', async () => {
  const document = { enclaves: [{ name: 'mine', author_id: 'A'.repeat(43), minimum_svn: 0 }] }
  const before = await inForce('reference-values')
  await readOk(await put(document, first, 'reference-values'), 202)
  expect(await inForce('reference-values')).toBe(before)
  await readOk(await put(document, second, 'reference-values'))
  expect(await inForce('reference-values')).not.toBe(before)
})

test('a rollout takes two, and what two sent for another document in force is not seconded', async () => {
  const kept = policyOf('kept', 'attestation.tpmVersion == 2')
  await readOk(await put(kept, first), 202)
  await readOk(await put(kept, second))
  const body = {
    kind: 'policy',
    reason: 'r',
    document: policyOf('next', 'attestation.enclaveSvn > 1'),
  }
  const start = (headers: Headers) => service.post('/v1/rollouts', body, { headers })
  await readOk(await start(first), 202)
  const other = policyOf('other', 'attestation.tpmVersion > 1')
  await readOk(await put(other, first), 202)
  await readOk(await put(other, second))
  await readOk(await start(second), 202)
})

test('one administrator returns to the version before, at once, and only once', async () => {
  const bad = policyOf('bad', 'attestation.enclaveSvn > 1000000')
  const good = (await store.activeDocument('policy'))?.body as object
  const before = await inForce('policy')
  await readOk(await put(bad, first), 202)
  await readOk(await put(bad, second))
  const worse = await inForce('policy')
  expect(worse).not.toBe(before)

  await readOk(await put(good, first))
  expect(await inForce('policy')).toBe(before)
  // What was undone is not a version to return to.
  await readOk(await put(bad, first), 202)
  expect(await inForce('policy')).toBe(before)
})

test('a label takes two where an override names it or a policy reads labels, a plain one takes none', async () => {
  const device = await startDevice()
  expectOk(await service.agentOf(device).attest())
  const patch = (labels: readonly string[], headers: Headers, more: object = {}) =>
    service.request(`/v1/devices/${device.deviceId}`, {
      method: 'PATCH',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ labels, ...more }),
    })
  const labelsOf = async () => (await store.trustRecord(device.deviceId)).record?.labels
  await readOk(await patch(['plain'], first))
  labels += 1
  await readOk(await create(allowance(), first), 202)
  await readOk(await create(allowance(), second), 201)
  await readOk(await patch(['plain', `label-${labels}`], first), 202)
  expect(await labelsOf()).toEqual(['plain'])
  await readOk(await patch(['plain', `label-${labels}`], second))
  expect(await labelsOf()).toEqual(['plain', `label-${labels}`])
  // Losing it decides as well, and so does a device that is listed with it.
  await readOk(await patch(['plain'], first), 202)
  const key = Buffer.alloc(32, 5).toString('base64')
  const listed = { device_key: key, labels: [`label-${labels}`] }
  await readOk(await service.post('/v1/devices', listed, { headers: first }), 202)

  const reads = policyOf('reads', '"exempt" in device.labels || device.owner == "me"')
  const denies = { accept_denials: 10 }
  await readOk(await put(reads, first, 'policy', denies), 202)
  await readOk(await put(reads, second, 'policy', denies))
  await readOk(await patch(['plain', `label-${labels}`, 'exempt'], first), 202)
  await readOk(await patch(['plain', `label-${labels}`], first, { owner: 'me' }), 202)
  await readOk(await patch(['plain', `label-${labels}`], first, { entra_device_id: 'e' }))
})

test.each([
  '"exempt" in device["labels"]',
  String.raw`"exempt" in device["\u006cabels"]`,
  String.raw`"exempt" in device["\154\x61bels"]`,
])('a label takes two, however a policy writes that it reads labels: %s', async (require) => {
  const device = await startDevice()
  expectOk(await service.agentOf(device).attest())
  const reads = policyOf('writes', require)
  const denies = { accept_denials: 10 }
  await readOk(await put(reads, first, 'policy', denies), 202)
  await readOk(await put(reads, second, 'policy', denies))
  const patch = { method: 'PATCH', headers: first }
  const path = `/v1/devices/${device.deviceId}`
  await readOk(await service.post(path, { labels: ['exempt'] }, patch), 202)
  await readOk(await service.post(path, { entra_device_id: 'labels' }, patch))
})

test('a label takes two where it puts a device among the first of a rollout', async () => {
  const device = await startDevice()
  expectOk(await service.agentOf(device).attest())
  const plain = policyOf('plain', 'attestation.tpmVersion == 2')
  await readOk(await put(plain, first), 202)
  await readOk(await put(plain, second))
  const patch = { method: 'PATCH', headers: first }
  const path = `/v1/devices/${device.deviceId}`
  await readOk(await service.post(path, { labels: ['other'] }, patch))
  const body = {
    kind: 'policy',
    reason: 'r',
    document: policyOf('loose', 'attestation.tpmVersion >= 2'),
    plan: { stages: [{ percent: 0, labels: ['canary'] }, { percent: 100 }] },
  }
  const { kind, document } = body
  await readOk(await service.post('/v1/previews', { kind, document }, { headers: first }))
  await readOk(await service.post('/v1/rollouts', body, { headers: first }), 202)
  await readOk(await service.post('/v1/rollouts', body, { headers: second }), 201)
  await readOk(await service.post(path, { labels: ['canary'] }, patch), 202)
  await readOk(await service.post(path, { labels: ['third'] }, patch))
})

test('the end of a rollout that decides for devices says that it is paused while it waits', async () => {
  const by = { note: '', health: null, by: 'test', now: service.clock.now() }
  // What tests before this one have begun.
  for (const { rolloutId, revision, pass, stage } of (await store.control(by.now)).rollouts) {
    const ended = { action: 'reverted', state: 'reverted', pass, stage } as const
    await store.stepRollout({ rolloutId, revision, ...ended, ...by })
  }
  const next = policyOf('on_its_way', 'attestation.enclaveSvn >= 0')
  const body = { kind: 'policy', reason: 'r', document: next }
  const start = (headers: Headers) => service.post('/v1/rollouts', body, { headers })
  await readOk(await start(first), 202)
  const { rollout_id } = await readOk(await start(second), 201)
  const rollout = await store.rollout(rollout_id)
  if (rollout === null) throw new Error('it was started')
  const { rolloutId, revision } = rollout
  const entered = { action: 'entered', state: 'running', pass: 'enforce', stage: 0 } as const
  expect(await store.stepRollout({ rolloutId, revision, ...entered, ...by })).toBe('applied')

  const end = { reason: 'x', accept_denials: 1 }
  const back = (headers: Headers) => service.post('/v1/policy/rollback', end, { headers })
  const answer = await readOk(await back(first), 202)
  expect(answer).toMatchObject({ waits_for: 'second_administrator', paused: rolloutId })
  expect(answer.detail).toContain(`${rolloutId} is paused`)
  expect((await store.rollout(rolloutId))?.state).toBe('paused')
  await readOk(await back(second))
  expect((await store.rollout(rolloutId))?.state).toBe('reverted')
})
