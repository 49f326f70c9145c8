import { afterAll, expect, test } from 'vitest'
import { DEFAULT_PLAN } from '../../../src/rollout/rollout.ts'
import { bodyOf } from '../../operations/release/documents.ts'
import { namedHash } from '../../support/document-hash.ts'
import type { Json } from '../../support/json.ts'
import { besideOf } from '../../support/recorded-fleet.ts'
import { createTestService, readOk, startDevice, testClock } from '../../support/service.ts'
import { attestMinted, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import { makeAnchor } from '../../support/trust-anchors.ts'

const database = await openTestDatabase()
const clock = testClock()
const service = await createTestService({ database, clock })
const { store } = service.services
afterAll(() => database.close())

test('an agent is told what decisions say in its ring, and its evidence is recorded all the same', async () => {
  await rememberHealthy(service, await startDevice())
  const { deviceKey, ...before } = await attestMinted(service)
  expect(await readOk(before.answer, 201)).toMatchObject({ verdict: 'trusted' })
  const revert = await enforceForAll()
  const inRing = await readOk((await attestMinted(service, { deviceKey })).answer, 201)
  expect(inRing).toMatchObject({ verdict: 'unknown', reasons: [{ code: 'hardware_unproven' }] })
  const [recorded] = await service.query(
    `select verdict from device where device_id = '${inRing.device_id}'`,
  )
  expect(recorded).toEqual({ verdict: 'unknown' })

  // After a halt the same evidence counts again, without another attestation.
  await revert()
  const headers = await service.as('access.evaluate')
  const question = {
    subject: { type: 'device', id: inRing.device_id },
    action: { name: 'signin' },
    resource: { type: 'application', id: 'payroll' },
  }
  const answer = await service.post('/access/v1/evaluation', question, { headers })
  expect(await readOk(answer)).toMatchObject({ decision: true })
})

/** Reference values that list another root than any that devices have, in the last stage. */
async function enforceForAll(): Promise<() => Promise<unknown>> {
  const now = clock.now()
  const active = await store.activeDocument('reference-values')
  const other = await makeAnchor('other')
  const values = { ...(active?.body as Json), trust_anchors: [other.entry()] }
  const { body, ...document } = bodyOf('reference-values', values)
  const names = { author: 'test', reason: 'test', now }
  await store.proposeDocument({ ...document, body: body as Json, ...names })
  const rolloutId = 'rol_test'
  const { kind, hash: to } = document
  const from = active?.hash ?? namedHash('')
  const beside = await besideOf(store, kind)
  await store.startRollout({
    rolloutId,
    kind,
    from,
    to,
    beside,
    plan: DEFAULT_PLAN,
    note: '',
    ...names,
  })
  const step = {
    rolloutId,
    pass: 'enforce',
    stage: 4,
    note: '',
    health: null,
    by: 'test',
    now,
  } as const
  await store.stepRollout({ ...step, revision: 1, action: 'promoted', state: 'running' })
  // What was in force is remembered for a second.
  clock.advance(2)
  return () => store.stepRollout({ ...step, revision: 2, action: 'halted', state: 'halted' })
}
