import { afterAll, describe, expect, test } from 'vitest'
import {
  countOverrideLosses,
  MOST_LOOKED_AT,
} from '../../../src/operations/release/override-losses.ts'
import { MAX_OVERRIDE_MS, MAX_OVERRIDES } from '../../../src/rollout/override.ts'
import { documentOf } from '../../policy/healthy-device.ts'
import { namedHash } from '../../support/document-hash.ts'
import { enforceFleetDocuments, hashOfDocument, recordFleet } from '../../support/recorded-fleet.ts'
import { noteReason } from '../../support/refusal.ts'
import { createTestService, expectProblem, readOk, testClock } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
// The database leaves out by its own clock what expired long ago.
const clock = testClock(new Date())
const service = await createTestService({ database, clock })
const read = await service.as('admin.read')
const write = await service.as('admin.write')
const pep = await service.as('access.evaluate')
const { store } = service.services
await enforceFleetDocuments(store, clock.now())
const [deviceId = '', otherId = ''] = await recordFleet(store, { devices: 2, now: clock.now() })
const DENIES = documentOf('attestation.enclaveSvn > 1000')
const denies = hashOfDocument('policy', DENIES)
await store.proposeDocument({
  kind: 'policy',
  hash: denies,
  body: DENIES,
  author: 'test',
  reason: 'kept',
  now: clock.now(),
})
afterAll(() => database.close())

const inMs = (ms: number) => new Date(clock.now().getTime() + ms).toISOString()
const device = (name: string) => ({ kind: 'device', name })
const label = (name: string) => ({ kind: 'label', name })
const HOUR_MS = 3_600_000

const create = (body: object, headers = write) =>
  service.post('/v1/overrides', { reason: 'because', ...body }, { headers })
const pinOf = (target: object, hash = denies, expires_at = inMs(HOUR_MS)) =>
  create({ action: 'pin', target, hash, expires_at })
const end = (id: string, query = '', body?: object) =>
  service.request(`/v1/overrides/${id}${query}`, {
    method: 'DELETE',
    headers: { ...write, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
const list = async () =>
  (await readOk(await service.request('/v1/overrides', { headers: read }))).overrides

async function decide(id: string): Promise<boolean> {
  const question = {
    subject: { type: 'device', id },
    resource: { type: 'application', id: 'payroll' },
    action: { name: 'signin' },
  }
  const answer = await service.post('/access/v1/evaluation', question, { headers: pep })
  return (await readOk(answer)).decision
}

describe('a pin', () => {
  test('lets another version decide for one device, with the next question, until it ends', async () => {
    expect([await decide(deviceId), await decide(otherId)]).toEqual([true, true])
    const { newly_denied, ...made } = await readOk(await pinOf(device(deviceId)), 201)
    expect(newly_denied).toEqual({ devices: 1, looked_at: 1, complete: true })
    expect(made).toMatchObject({
      override_id: expect.stringMatching(/^ovr_/),
      action: 'pin',
      target: device(deviceId),
      kind: 'policy',
      hash: denies,
      reason: 'because',
      author: expect.stringMatching(/^cli_/),
    })
    expect([await decide(deviceId), await decide(otherId)]).toEqual([false, true])
    expect(await list()).toEqual([made])
    const ended = await readOk(await end(made.override_id, '?reason=enough'))
    expect(ended).toMatchObject({ override_id: made.override_id, changed: true })
    expect(await decide(deviceId)).toBe(true)
    expect(await list()).toEqual([])
    const again = await end(made.override_id, '', { reason: 'enough' })
    expect(await readOk(again)).toMatchObject({ changed: false })
    const rows = await service.query(
      `select action, detail ->> 'reason' as reason from audit
       where detail ->> 'overrideId' = '${made.override_id}' order by at, action`,
    )
    expect(rows).toEqual([
      { action: 'override.created', reason: 'because' },
      { action: 'override.ended', reason: 'enough' },
    ])
  })

  test('of a version that is not there, or that cannot decide, is none', async () => {
    await expectProblem(
      await pinOf(device(deviceId), namedHash('a'.repeat(64))),
      404,
      'document_not_found',
    )
    noteReason('document_not_found')
    const hash = namedHash('b'.repeat(64))
    const names = { author: 'test', reason: 'of another version', now: clock.now() }
    await store.proposeDocument({ kind: 'policy', hash, body: { clauses: 'none' }, ...names })
    await expectProblem(await pinOf(device(deviceId), hash), 409, 'document_not_usable')
    noteReason('document_not_usable')
    expect(await decide(deviceId)).toBe(true)
  })
})

describe('an allowance', () => {
  test('for a label lets clauses deny none of its devices, and ends by itself', async () => {
    await readOk(await pinOf(label('field')), 201)
    await store.setDeviceAttributes({
      deviceId,
      changes: { labels: ['field'] },
      by: 'test',
      now: clock.now(),
    })
    expect(await decide(deviceId)).toBe(false)
    const allow = { action: 'allow', target: label('field'), expires_at: inMs(60_000) }
    const made = await readOk(await create(allow), 201)
    expect(made).toMatchObject({ action: 'allow', kind: null, hash: null })
    expect(await decide(deviceId)).toBe(true)
    expect(await list()).toHaveLength(2)
    clock.advance(61)
    expect(await decide(deviceId)).toBe(false)
    const left = await list()
    expect(left).toMatchObject([{ action: 'pin' }])
    await readOk(await end(left[0].override_id, '?reason=over'))
  })
})

describe('whom a change of exceptions takes access from', () => {
  const whole = (devices: number, looked_at: number) => ({ devices, looked_at, complete: true })
  const setLabels = (id: string, labels: readonly string[]) => {
    const of = { deviceId: id, changes: { labels }, by: 'test', now: clock.now() }
    return store.setDeviceAttributes(of)
  }

  test('is said of a pin before it is made, when it is made, and is what decisions then do', async () => {
    await setLabels(deviceId, ['lab'])
    await setLabels(otherId, ['lab', 'spared'])
    const body = { action: 'pin', target: label('lab'), hash: denies, expires_at: inMs(HOUR_MS) }
    const allow = { action: 'allow', target: label('spared'), expires_at: inMs(HOUR_MS) }
    const { override_id } = await readOk(await create(allow), 201)
    const asked = await readOk(await create({ ...body, dry_run: true }))
    expect(asked).toEqual({ newly_denied: whole(1, 2) })
    expect(await list()).toHaveLength(1)
    expect(await decide(deviceId)).toBe(true)
    const made = await readOk(await create(body), 201)
    expect(made).toMatchObject({ action: 'pin', newly_denied: whole(1, 2) })
    expect([await decide(deviceId), await decide(otherId)]).toEqual([false, true])

    const over = '?reason=over'
    const told = await readOk(await end(override_id, `${over}&dry_run=true`))
    expect(told).toEqual({ override_id, changed: false, newly_denied: whole(1, 1) })
    expect(await decide(otherId)).toBe(true)
    const ended = await readOk(await end(override_id, over))
    expect(ended).toEqual({ override_id, changed: true, newly_denied: whole(1, 1) })
    expect(await decide(otherId)).toBe(false)
    const again = await readOk(await end(override_id, over))
    expect(again).toMatchObject({ changed: false, newly_denied: whole(0, 0) })
    const gives = await readOk(await end(made.override_id, '', { reason: 'over', dry_run: true }))
    expect(gives).toMatchObject({ changed: false, newly_denied: whole(0, 2) })
    await readOk(await end(made.override_id, over))
  })

  test('is not asked of a device that there is not, and takes no other words', async () => {
    const body = { action: 'allow', target: device('dev_nobody'), expires_at: inMs(HOUR_MS) }
    await expectProblem(await create({ ...body, dry_run: true }), 404, 'device_not_found')
    await expectProblem(await end('ovr_x', '?reason=x&dry_run=yes'), 400, 'request_malformed')
  })

  test('is counted of the first devices, where an exception is for very many', async () => {
    const changed = {
      ...{ author: 'test', reason: 'x', createdAt: clock.now() },
      action: 'allow' as const,
    }
    const made = {
      ...changed,
      overrideId: 'ovr_many',
      target: { kind: 'label', name: 'many' } as const,
      expiresAt: new Date(inMs(HOUR_MS)),
    }
    const [row] = await store.fleetPage({ after: '', limit: 1, leaveOut: [] })
    if (row === undefined) throw new Error('there is a device')
    const rows = Array.from({ length: MOST_LOOKED_AT + 1 }, (_, at) => {
      return { ...row, deviceId: `dev_${String(at).padStart(8, '0')}` }
    })
    const counting = {
      ...service.services,
      store: {
        ...store,
        fleetPage: async ({ after, limit }: { readonly after: string; readonly limit: number }) =>
          rows.filter((one) => one.deviceId > after).slice(0, limit),
      },
    }
    const losses = await countOverrideLosses(counting, { made })
    expect(losses).toEqual({ devices: 0, lookedAt: MOST_LOOKED_AT, isWhole: false })
  })
})

test('ends in time, and not after the longest time there is', async () => {
  for (const ms of [-1000, 0, MAX_OVERRIDE_MS + 1000]) {
    const body = { action: 'allow', target: device(deviceId), expires_at: inMs(ms) }
    await expectProblem(await create(body), 400, 'expiry_refused')
  }
  noteReason('expiry_refused')
  expect(await list()).toEqual([])
})

test('is for a device that there is', async () => {
  const target = device('dev_nobody')
  const body = { action: 'allow', target, expires_at: inMs(HOUR_MS) }
  await expectProblem(await create(body), 404, 'device_not_found')
  noteReason('device_not_found')
})

test('needs all that it says, and nothing else', async () => {
  const whole = { action: 'allow', target: device(deviceId), expires_at: inMs(HOUR_MS) }
  for (const change of [
    { expires_at: undefined },
    { expires_at: '2099' },
    { reason: '' },
    { target: { kind: 'owner', name: 'x' } },
    { target: { kind: 'label', name: '' } },
    { action: 'deny' },
    { action: 'pin' },
    { action: 'pin', hash: 'short' },
    { hash: denies },
    { forever: true },
  ]) {
    await expectProblem(await create({ ...whole, ...change }), 400, 'request_malformed')
  }
  expect(await list()).toEqual([])
})

test('ending asks for a reason and for one that there is', async () => {
  await expectProblem(await end('ovr_nothing', '?reason=x'), 404, 'override_not_found')
  await expectProblem(await end('ovr_nothing', '?reason='), 400, 'request_malformed')
  await expectProblem(await end('ovr_nothing', '', {}), 400, 'request_malformed')
})

test('is shown to those who read and made by those who write', async () => {
  const body = { action: 'allow', target: device(deviceId), expires_at: inMs(HOUR_MS) }
  for (const headers of [read, pep]) {
    await expectProblem(await create(body, headers), 403, 'forbidden')
    const ending = service.request('/v1/overrides/x', { method: 'DELETE', headers })
    await expectProblem(await ending, 403, 'forbidden')
  }
  const path = '/v1/overrides'
  await expectProblem(await service.request(path, { headers: pep }), 403, 'forbidden')
  await expectProblem(await service.request(path), 401, 'unauthenticated')
})

test('there are at most so many at once', async () => {
  await service.query(
    `insert into override (override_id, action, target_kind, target, reason, author, created_at,
       expires_at)
     select 'ovr_many_' || i, 'allow', 'label', 'many', 'many', 'test', now(), now() + interval '1 day'
     from generate_series(1, ${MAX_OVERRIDES}) as i`,
  )
  const body = { action: 'allow', target: device(deviceId), expires_at: inMs(HOUR_MS) }
  await expectProblem(await create(body), 409, 'too_many_overrides')
  noteReason('too_many_overrides')
  expect(await list()).toHaveLength(MAX_OVERRIDES)
})
