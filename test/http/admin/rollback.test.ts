import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { policyWith } from '../../operations/release/documents.ts'
import { HEALTHY } from '../../policy/healthy-device.ts'
import type { Json } from '../../support/json.ts'
import { enforceFleetDocuments, recordFleet } from '../../support/recorded-fleet.ts'
import { noteReason } from '../../support/refusal.ts'
import {
  createTestService,
  everythingStored,
  expectProblem,
  readOk,
} from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const DEVICES = 20
const database = await openTestDatabase()
/** Two processes on one database, for which two administrators are asked. */
const options = {
  database,
  env: { SECOND_ADMINISTRATOR: 'required' },
  // As in a fleet that is too large to be replayed within a request.
  alterAdmin: (admin: Json) => ({ ...admin, releases: { ...admin.releases, replaysAtMost: 2 } }),
}
const service = await createTestService(options as never)
const { clock } = service
const other = await createTestService({ ...options, clock } as never)
const first = await service.as('admin.write')
const second = await service.as('admin.write', 'admin.read')
const pep = await service.as('access.evaluate')
const { store } = service.services
const ids = await recordFleet(store, { devices: DEVICES, now: clock.now() })
afterAll(() => database.close())

beforeEach(async () => {
  for (const { rolloutId, state } of await store.listRollouts(10)) {
    if (state !== 'running' && state !== 'paused') continue
    const all = { reason: 'clean up', accept_all_denials: true }
    for (const headers of [first, second]) {
      await post(`/v1/rollouts/${rolloutId}/revert`, all, headers)
    }
  }
  await enforceFleetDocuments(store, clock.now())
})

const post = (path: string, body: unknown, headers = first) => service.post(path, body, { headers })
const goBack = (body: object = {}, headers = first) =>
  post('/v1/policy/rollback', { reason: 'it was wrong', ...body }, headers)
const inForce = async () => (await store.activeDocument('policy'))?.hash

let documents = 0
const newPolicy = (require = 'attestation.enclaveSvn >= 5'): Json => ({
  ...policyWith(require).body,
  description: `number ${++documents}`,
})

/** As two administrators release it, whatever it denies. */
async function release(document: Json, members: object = {}): Promise<Json> {
  await readOk(await post('/v1/previews', { kind: 'policy', document }))
  const body = { kind: 'policy', document, reason: 'x', accept_denials: DEVICES, ...members }
  await readOk(await post('/v1/rollouts', body), 202)
  return readOk(await post('/v1/rollouts', body, second), 201)
}

async function releaseAtOnce(document: Json): Promise<void> {
  await readOk(await post('/v1/previews', { kind: 'policy', document }))
  const body = { document, reason: 'x', accept_denials: DEVICES, at_once: true }
  const put = (headers: typeof first) =>
    service.post('/v1/policy', body, { method: 'PUT', headers })
  await readOk(await put(first), 202)
  await readOk(await put(second))
}

/** Of the version that the way back leads to, which a refusal names. */
async function previewWayBack(): Promise<Json> {
  const { kind, hash } = await expectProblem(await goBack(), 409, 'preview_missing')
  return { hash, ...(await readOk(await post('/v1/previews', { kind, hash }))) }
}

/** Lets the document of a rollout decide for every device. */
async function enforce(rolloutId: string): Promise<void> {
  const { revision = 0 } = (await store.rollout(rolloutId)) ?? {}
  const to = { action: 'promoted', state: 'running', pass: 'enforce', stage: 4 } as const
  const step = { rolloutId, revision, ...to, note: '', health: null, by: 'test' }
  expect(await store.stepRollout({ ...step, now: clock.now() })).toBe('applied')
}

describe('POST /v1/policy/rollback', () => {
  test('returns at once, by one administrator, where a preview is on record', async () => {
    const before = await inForce()
    await releaseAtOnce(newPolicy('attestation.enclaveSvn > 1000'))
    const told = await expectProblem(await goBack(), 409, 'preview_missing')
    expect(told).toMatchObject({ kind: 'policy', hash: before })
    expect(told.detail).toContain(`{"kind": "policy", "hash": "${before}"}`)
    await previewWayBack()
    expect(await readOk(await goBack())).toEqual({
      ...{ kind: 'policy', hash: before, rollout_id: null, newly_denied: 0 },
    })
    expect(await inForce()).toBe(before)
    noteReason('no_version_before')
    await expectProblem(await goBack(), 409, 'no_version_before')
    expect(await inForce()).toBe(before)
  })

  test('ends the rollout that is open', async () => {
    const before = await inForce()
    const { rollout_id } = await release(newPolicy())
    expect(await readOk(await goBack())).toMatchObject({ hash: before, rollout_id })
    expect(await store.rollout(rollout_id)).toMatchObject({ state: 'reverted' })
  })

  test('of a rollout that decides pauses it, and ends it by a preview of its end', async () => {
    await releaseAtOnce(newPolicy('attestation.enclaveSvn > 1000'))
    const strict = await inForce()
    const { rollout_id } = await release(newPolicy())
    await enforce(rollout_id)
    const told = await expectProblem(await goBack(), 409, 'preview_missing')
    expect(told).toMatchObject({ kind: 'policy', hash: strict, paused: rollout_id })
    expect(await store.rollout(rollout_id)).toMatchObject({ state: 'paused' })
    const { hash, newly_denied } = await previewWayBack()
    expect({ hash, denied: newly_denied.devices }).toEqual({ hash: strict, denied: DEVICES })
    const refused = await expectProblem(await goBack(), 409, 'denials_not_accepted')
    expect(refused).toMatchObject({ newly_denied: DEVICES, paused: rollout_id })
    expect(refused.detail).toContain(`${rollout_id} is paused and goes no further meanwhile`)
    const path = `/v1/rollouts/${rollout_id}/revert`
    const body = { reason: 'x', accept_denials: DEVICES }
    await readOk(await post(path, body), 202)
    expect(await readOk(await post(path, body, second))).toMatchObject({ state: 'reverted' })
  })

  test('counts nobody where there is no time for it, and takes two', async () => {
    await releaseAtOnce(newPolicy('attestation.enclaveSvn > 1000'))
    const strict = await inForce()
    await releaseAtOnce(newPolicy())
    const body = { accept_all_denials: true }
    await readOk(await goBack(body), 202)
    expect(await readOk(await goBack(body, second))).toEqual({
      ...{ kind: 'policy', hash: strict, rollout_id: null, newly_denied: null },
    })
  })

  test('says how many it would deny, and with a second administrator denies them', async () => {
    await releaseAtOnce(newPolicy('attestation.enclaveSvn > 1000'))
    const strict = await inForce()
    await releaseAtOnce(newPolicy())
    await previewWayBack()
    const refused = await expectProblem(await goBack(), 409, 'denials_not_accepted')
    expect(refused).toMatchObject({ newly_denied: DEVICES })
    const body = { accept_denials: DEVICES }
    await readOk(await goBack(body), 202)
    expect(await readOk(await goBack(body, second))).toMatchObject({ hash: strict })
  })

  test('nobody who has access loses it on the way, nor gets another answer, under load', async () => {
    const before = await inForce()
    const [outdated = '', ...current] = ids
    const claims = JSON.stringify({ ...HEALTHY, enclaveSvn: 6 })
    await database.query(`update device set claims = '${claims}' where device_id = '${outdated}'`)
    await releaseAtOnce(newPolicy('attestation.enclaveSvn > 6'))
    const strict = await inForce()
    const ask = async (process: typeof service, id: string) => {
      const question = {
        subject: { type: 'device', id },
        resource: { type: 'application', id: 'mail' },
        action: { name: 'read' },
      }
      return readOk(await process.post('/access/v1/evaluation', question, { headers: pep }))
    }
    expect((await ask(service, outdated)).decision).toBe(false)
    let isOver = false
    const seen = new Set<string>()
    let asked = 0
    const load = [service, other].flatMap((process) =>
      current.slice(0, 8).map(async (id) => {
        for (let left = 3; left > 0; left -= isOver ? 1 : 0) {
          const { decision, context } = await ask(process, id)
          expect({ id, decision }).toEqual({ id, decision: true })
          seen.add(context.policy)
          asked += 1
          // The embedded database answers without giving others their turn.
          await new Promise((resolve) => setTimeout(resolve))
        }
      }),
    )
    while (asked < 50) await new Promise((resolve) => setTimeout(resolve, 5))
    await previewWayBack()
    await readOk(await goBack())
    isOver = true
    await Promise.all(load)
    expect([...seen].toSorted()).toEqual([before, strict].toSorted())
    for (const process of [service, other]) {
      expect(await ask(process, outdated)).toMatchObject({
        decision: true,
        context: { policy: before },
      })
    }
  })

  test('asks for the scope of administrators, a reason, and nothing that there is not', async () => {
    const stored = await everythingStored(service.query)
    await expectProblem(await goBack({}, pep), 403, 'forbidden')
    await expectProblem(await goBack({ reason: '' }), 400, 'request_malformed')
    const { detail } = await expectProblem(await goBack({ to: 'x' }), 400, 'request_malformed')
    expect(detail).toBe('there is no member "to" here: leave it out')
    noteReason('superseded')
    await expectProblem(await goBack({ expected: 'f'.repeat(64) }), 409, 'superseded')
    expect(await everythingStored(service.query)).toEqual(stored)
  })
})

test('a document whose rollout has halted is refused until that rollout is named', async () => {
  const document = newPolicy('attestation.enclaveSvn > 1000')
  const { rollout_id } = await release(document)
  const rollout = await store.rollout(rollout_id)
  if (rollout === null) throw new TypeError('a rollout that was started is there')
  const { rolloutId, revision, pass, stage } = rollout
  await store.stepRollout({
    ...{ rolloutId, revision, pass, stage, action: 'halted', state: 'halted' },
    ...{ note: 'halted in audit stage 1 of 5: too many', health: null, by: 'service' },
    now: clock.now(),
  })
  noteReason('document_halted')
  const body = { document, reason: 'it is meant', accept_denials: DEVICES, at_once: true }
  const put = (members: object, headers = first) =>
    service.post('/v1/policy', { ...body, ...members }, { method: 'PUT', headers })
  const refused = await expectProblem(await put({}), 409, 'document_halted')
  expect(refused).toMatchObject({ rollout_id, detail: expect.stringContaining('too many') })
  const start = { kind: 'policy', document, reason: 'x', accept_denials: DEVICES }
  await expectProblem(await post('/v1/rollouts', start), 409, 'document_halted')
  await readOk(await put({ despite: rollout_id }), 202)
  const shown = await readOk(await put({ despite: rollout_id }, second))
  expect(shown.halted).toMatchObject({
    rollout_id,
    note: 'halted in audit stage 1 of 5: too many',
    despite: { by: expect.stringMatching(/^cli_/), reason: 'it is meant' },
  })
})
