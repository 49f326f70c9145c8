import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { runControl } from '../../../src/compose/jobs.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { policyWith } from '../../operations/release/documents.ts'
import { documentOf } from '../../policy/healthy-device.ts'
import type { Json } from '../../support/json.ts'
import { enforceFleetDocuments, FLEET_VALUES, recordFleet } from '../../support/recorded-fleet.ts'
import { noteReason } from '../../support/refusal.ts'
import {
  createTestService,
  everythingStored,
  expectProblem,
  readOk,
  type TestService,
} from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const DEVICES = 110
const UNKNOWN = '0'.repeat(64)

const database = await openTestDatabase()
const service: TestService = await createTestService({
  database,
  // As in a fleet that is too large to be replayed within a request.
  alterAdmin: (admin) => ({ ...admin, releases: { ...admin.releases, replaysAtMost: 10 } }),
})
const read = await service.as('admin.read')
const write = await service.as('admin.write')
const pep = await service.as('access.evaluate')
const { store } = service.services
beforeAll(async () => {
  await recordFleet(store, { devices: DEVICES, now: service.clock.now() })
})
afterAll(() => database.close())
// An activation ends what is open, so that each test begins anew.
beforeEach(async () => {
  for (const rollout of await store.listRollouts(100)) {
    if (rollout.state !== 'running' && rollout.state !== 'paused') continue
    await post(`/v1/rollouts/${rollout.rolloutId}/revert`, { reason: 'clean up' })
  }
  await enforceFleetDocuments(store, service.clock.now())
})

const get = (path: string, headers = read) => service.request(path, { headers })
const post = (path: string, body: unknown, headers = write) => service.post(path, body, { headers })

let documents = 0
/** A policy that nobody has seen, and that asks of devices what they meet, unless told otherwise. */
const newPolicy = (require = 'attestation.enclaveSvn >= 5'): Json => ({
  ...policyWith(require).body,
  description: `number ${++documents}`,
})

async function start(document: Json, changes: object = {}): Promise<Json> {
  await readOk(await post('/v1/previews', { kind: 'policy', document }))
  const body = { kind: 'policy', document, reason: 'a change', ...changes }
  return readOk(await post('/v1/rollouts', body), 201)
}

const problem = async (answer: Response, status: number, code: string) => {
  noteReason(code)
  return expectProblem(answer, status, code)
}

describe('POST /v1/previews', () => {
  test('says what would change and keeps it, of a document and of a version', async () => {
    const document = newPolicy('attestation.enclaveSvn > 1000')
    const summary = await readOk(await post('/v1/previews', { kind: 'policy', document }))
    expect(summary).toMatchObject({
      devices: DEVICES,
      compared: DEVICES,
      newly_denied: { devices: DEVICES, by_clause: [{ clause: 'added' }] },
    })
    expect(await store.preview('policy', summary.candidate.policy)).toMatchObject({
      summary: { newly_denied: { devices: DEVICES } },
    })
    const { policy: hash } = summary.in_force
    const again = await readOk(await post('/v1/previews', { kind: 'policy', hash }))
    expect(again).toMatchObject({ newly_denied: { devices: 0 } })
  })

  test('wants one document, that compiles, of somebody who may write', async () => {
    const document = newPolicy()
    const path = '/v1/previews'
    await expectProblem(await post(path, { kind: 'policy' }), 400, 'request_malformed')
    const both = { kind: 'policy', document, hash: UNKNOWN }
    await expectProblem(await post(path, both), 400, 'request_malformed')
    await problem(await post(path, { kind: 'policy', hash: UNKNOWN }), 404, 'document_not_found')
    const wrong = { kind: 'policy', document: documentOf('device.rong == 1') }
    await expectProblem(await post(path, wrong), 422, 'document_refused')
    await expectProblem(await post(path, { kind: 'policy', document }, read), 403, 'forbidden')
  })

  test('is made one at a time, and ends when its client goes away', async () => {
    const kind = 'policy'
    const gone = new AbortController()
    const document = newPolicy()
    const first = service.app.fetch(
      new Request(`${service.url}/v1/previews`, {
        method: 'POST',
        headers: { ...write, 'content-type': 'application/json' },
        body: JSON.stringify({ kind, document }),
        signal: gone.signal,
      }),
    )
    const others = await Promise.all(
      [1, 2, 3].map(() => post('/v1/previews', { kind, document: newPolicy() })),
    )
    expect(others.map(({ status }) => status)).toContain(429)
    gone.abort()
    await first
    await readOk(await post('/v1/previews', { kind, document }))
  })

  test('leaves nothing behind for a client that is gone', async () => {
    const document = newPolicy()
    const gone = new AbortController()
    gone.abort()
    const before = await service.query('select * from preview order by hash')
    const signal = gone.signal
    const answer = await service.app.fetch(
      new Request(`${service.url}/v1/previews`, {
        method: 'POST',
        headers: { ...write, 'content-type': 'application/json' },
        body: JSON.stringify({ kind: 'policy', document }),
        signal,
      }),
    )
    expect(answer.ok).toBe(false)
    expect(await service.query('select * from preview order by hash')).toEqual(before)
  })
})

describe('POST /v1/rollouts', () => {
  test('begins in the first stage of the audit and changes no decision', async () => {
    const document = newPolicy()
    const rollout = await start(document, { plan: { bake_seconds: 60, budget: { devices: 3 } } })
    expect(rollout).toMatchObject({
      rollout_id: expect.stringMatching(/^rol_/),
      kind: 'policy',
      state: 'running',
      pass: 'audit',
      stage: 0,
      reason: 'a change',
      author: expect.stringMatching(/^cli_/),
      waits_for: { why: 'not_checked', until: null },
      plan: { bake_seconds: 60, minimum_sample: 100, budget: { devices: 3, share: 0.01 } },
      health: null,
    })
    expect(await readOk(await get('/v1/policy'))).toMatchObject({ hash: rollout.from })
    expect(service.logs.join('')).toContain('rollout_started')
    const { rollouts } = await readOk(await get('/v1/rollouts?limit=1'))
    expect(rollouts).toMatchObject([{ rollout_id: rollout.rollout_id }])
    const shown = await readOk(await get(`/v1/rollouts/${rollout.rollout_id}`))
    expect(shown).toEqual({ ...rollout, observed: { decisions: 0, newly_denied: 0 } })
  })

  test('without a preview that counts there is none', async () => {
    const document = newPolicy()
    const body = { kind: 'policy', document, reason: 'a change' }
    const before = await everythingStored(service.query)
    const refused = await problem(await post('/v1/rollouts', body), 409, 'preview_missing')
    expect(refused.detail).toContain('POST /v1/previews')
    expect(await everythingStored(service.query)).toEqual(before)

    await readOk(await post('/v1/previews', { kind: 'policy', document }))
    service.clock.advance(3601)
    await problem(await post('/v1/rollouts', body), 409, 'preview_missing')
    await readOk(await post('/v1/previews', { kind: 'policy', document }))
    await readOk(await post('/v1/rollouts', body), 201)
  })

  test('a preview against other documents does not count', async () => {
    const document = newPolicy()
    await readOk(await post('/v1/previews', { kind: 'policy', document }))
    const { enclaves } = FLEET_VALUES
    const changed = { name: `renamed ${++documents}`, enclaves }
    await readOk(await post('/v1/previews', { kind: 'reference-values', document: changed }))
    const put = { reason: 'x', document: changed, at_once: true }
    await readOk(await service.post('/v1/reference-values', put, { method: 'PUT', headers: write }))
    const body = { kind: 'policy', document, reason: 'a change' }
    await problem(await post('/v1/rollouts', body), 409, 'preview_missing')
  })

  test('a preview of almost nobody does not count', async () => {
    const document = newPolicy()
    const summary = await readOk(await post('/v1/previews', { kind: 'policy', document }))
    await store.recordPreview({
      kind: 'policy',
      hash: summary.candidate.policy,
      policyHash: summary.in_force.policy,
      referenceValuesHash: summary.in_force.reference_values,
      at: new Date(service.clock.now().getTime() + 1),
      by: 'test',
      summary: { ...summary, compared: 3 },
    })
    const body = { kind: 'policy', document, reason: 'a change' }
    const refused = await problem(await post('/v1/rollouts', body), 409, 'preview_too_small')
    expect(refused).toMatchObject({ compared: 3, needed: DEVICES / 2 })
  })

  test('devices that would be lost are accepted by their number, which is then the budget', async () => {
    const document = newPolicy('attestation.enclaveSvn > 1000')
    await readOk(await post('/v1/previews', { kind: 'policy', document }))
    const body = { kind: 'policy', document, reason: 'a change' }
    const refused = await post('/v1/rollouts', { ...body, accept_denials: DEVICES - 1 })
    expect(await problem(refused, 409, 'denials_not_accepted')).toMatchObject({
      newly_denied: DEVICES,
      accept_denials: DEVICES - 1,
    })
    const started = await post('/v1/rollouts', { ...body, accept_denials: DEVICES })
    expect(await readOk(started, 201)).toMatchObject({
      plan: { budget: { devices: DEVICES, share: 1 } },
    })
  })

  test('lint goes first: what denies all by itself is refused with what is wrong', async () => {
    const document = newPolicy('false')
    const answer = await post('/v1/rollouts', { kind: 'policy', document, reason: 'x' })
    expect(await expectProblem(answer, 422, 'document_refused')).toMatchObject({
      findings: [{ code: 'policy_clause_denies_all', clause: 'added' }],
    })
  })

  test('one at a time, and not of what is in force', async () => {
    const first = await start(newPolicy())
    const document = newPolicy()
    await readOk(await post('/v1/previews', { kind: 'policy', document }))
    const body = { kind: 'policy', document, reason: 'another' }
    const open = await problem(await post('/v1/rollouts', body), 409, 'rollout_open')
    expect(open).toMatchObject({ rollout_id: first.rollout_id })
    const same = { kind: 'policy', document: BASELINE_POLICY, reason: 'x' }
    await problem(await post('/v1/rollouts', same), 409, 'document_in_force')
    const other = { ...body, expected: UNKNOWN }
    await problem(await post('/v1/rollouts', other), 409, 'superseded')
  })

  test.each([
    ['stages that do not grow', { stages: [{ percent: 5 }, { percent: 1 }, { percent: 100 }] }],
    ['stages that end before all devices', { stages: [{ percent: 50 }] }],
    ['no stages', { stages: [] }],
    ['hours that end before they begin', { hours: { from: 17, to: 8, days: [1] } }],
    ['a share of more than all', { budget: { share: 2 } }],
    ['a member that it does not know', { bake: 3 }],
  ])('refuses a plan with %s', async (_, plan) => {
    const body = { kind: 'policy', document: newPolicy(), reason: 'x', plan }
    await expectProblem(await post('/v1/rollouts', body), 400, 'request_malformed')
  })
})

describe('POST /v1/rollouts/{id}/…', () => {
  const steer = (rollout: Json, verb: string, body: object = {}) =>
    post(`/v1/rollouts/${rollout.rollout_id}/${verb}`, { reason: 'because', ...body })

  test('pauses and resumes, and again does nothing', async () => {
    const rollout = await start(newPolicy())
    for (const [verb, state] of [
      ['pause', 'paused'],
      ['resume', 'running'],
    ] as const) {
      expect(await readOk(await steer(rollout, verb))).toMatchObject({ state, changed: true })
      expect(await readOk(await steer(rollout, verb))).toMatchObject({ state, changed: false })
    }
    const rows = await service.query(
      `select detail ->> 'note' as note from audit
       where detail ->> 'rolloutId' = '${rollout.rollout_id}' and action = 'rollout.paused'`,
    )
    expect(rows).toEqual([{ note: 'because' }])
  })

  test('promotes one stage, once for each revision that somebody saw', async () => {
    const rollout = await start(newPolicy())
    const { revision } = rollout
    const promoted = await readOk(await steer(rollout, 'promote', { revision }))
    expect(promoted).toMatchObject({ pass: 'audit', stage: 1 })
    await problem(await steer(rollout, 'promote', { revision }), 409, 'superseded')
    expect(await readOk(await get(`/v1/rollouts/${rollout.rollout_id}`))).toMatchObject({
      stage: 1,
    })
  })

  test('reverts at any time: what was open, and what was done', async () => {
    const rollout = await start(newPolicy(), { plan: { stages: [{ percent: 100 }] } })
    await readOk(await steer(rollout, 'promote'))
    const done = await readOk(await steer(rollout, 'promote'))
    expect(done).toMatchObject({ state: 'done', pass: 'enforce' })
    expect(await readOk(await get('/v1/policy'))).toMatchObject({ hash: rollout.to })
    const told = await problem(await steer(rollout, 'revert'), 409, 'preview_missing')
    expect(told).toMatchObject({ kind: 'policy', hash: rollout.from })
    await readOk(await post('/v1/previews', { kind: 'policy', hash: rollout.from }))
    expect(await readOk(await steer(rollout, 'revert'))).toMatchObject({ changed: true })
    expect(await readOk(await get('/v1/policy'))).toMatchObject({
      hash: rollout.from,
      activated_by: expect.stringMatching(/^cli_/),
    })
    expect(await readOk(await steer(rollout, 'revert'))).toMatchObject({ changed: false })

    const open = await start(newPolicy())
    expect(await readOk(await steer(open, 'revert'))).toMatchObject({ state: 'reverted' })
    expect(await readOk(await steer(open, 'revert'))).toMatchObject({ changed: false })
    const refused = await problem(await steer(open, 'promote'), 409, 'rollout_state_refused')
    expect(refused).toMatchObject({ state: 'reverted' })
  })

  test('what was done is not brought back over what came into force after it', async () => {
    const rollout = await start(newPolicy(), { plan: { stages: [{ percent: 100 }] } })
    await readOk(await steer(rollout, 'promote'))
    await readOk(await steer(rollout, 'promote'))
    const document = newPolicy()
    await readOk(await post('/v1/previews', { kind: 'policy', document }))
    const put = { reason: 'x', document, at_once: true }
    const { hash } = await readOk(
      await service.post('/v1/policy', put, { method: 'PUT', headers: write }),
    )
    await problem(await steer(rollout, 'revert'), 409, 'superseded')
    expect(await readOk(await get('/v1/policy'))).toMatchObject({ hash })
  })

  test('shows what a check found, and that too much of it halts', async () => {
    const body = { accept_denials: DEVICES, plan: { budget: { devices: 0, share: 0 } } }
    const plan = { ...body.plan, stages: [{ percent: 100 }] }
    const rollout = await start(newPolicy('attestation.enclaveSvn > 1000'), { ...body, plan })
    await runControl(service.services)
    const halted = await readOk(await get(`/v1/rollouts/${rollout.rollout_id}`))
    expect(halted).toMatchObject({
      state: 'halted',
      waits_for: null,
      health: { newly_denied: DEVICES, causes: [{ cause: 'added', devices: DEVICES }] },
    })
    expect(halted.health.examples.length).toBeGreaterThan(0)
    expect(await readOk(await steer(rollout, 'revert'))).toMatchObject({
      state: 'halted',
      changed: false,
    })
  })

  test('what is not there, or not said, changes nothing', async () => {
    const unknown = { rollout_id: 'rol_nothing' }
    await problem(await steer(unknown, 'pause'), 404, 'rollout_not_found')
    await expectProblem(await get('/v1/rollouts/rol_nothing'), 404, 'rollout_not_found')
    await expectProblem(await get('/v1/rollouts?limit=0'), 400, 'request_malformed')
    const rollout = await start(newPolicy())
    const path = `/v1/rollouts/${rollout.rollout_id}`
    for (const body of [{}, { reason: ' ' }, { reason: 'x', force: true }, null]) {
      await expectProblem(await post(`${path}/pause`, body), 400, 'request_malformed')
    }
    expect(await readOk(await get(path))).toMatchObject({ state: 'running' })
  })

  test('asks for the scope of administrators', async () => {
    const before = await everythingStored(service.query)
    for (const headers of [read, pep]) {
      for (const path of ['', '/rol_x/pause', '/rol_x/resume', '/rol_x/promote', '/rol_x/revert']) {
        await expectProblem(await post(`/v1/rollouts${path}`, {}, headers), 403, 'forbidden')
      }
    }
    for (const path of ['/v1/rollouts', '/v1/rollouts/rol_x']) {
      await expectProblem(await get(path, pep), 403, 'forbidden')
      await expectProblem(await get(path, {}), 401, 'unauthenticated')
    }
    expect(await everythingStored(service.query)).toEqual(before)
  })
})
