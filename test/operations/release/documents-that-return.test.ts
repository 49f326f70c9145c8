import { afterAll, expect, test } from 'vitest'
import { commandReleases } from '../../../src/compose/release.ts'
import { endRollout } from '../../../src/operations/release/end-rollout.ts'
import { ANY_DENIALS } from '../../../src/operations/release/gates.ts'
import { rollBack } from '../../../src/operations/release/roll-back.ts'
import { NO_SECOND } from '../../../src/operations/release/second-administrator.ts'
import type { Json } from '../../../src/store/json.ts'
import { newId } from '../../store/fixtures.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { expectOk } from '../../support/refusal.ts'
import { policyWith } from './documents.ts'
import { openSmallFleet, PLAN } from './small-fleet.ts'

/*
 * Time for repair under a document that comes back, as `docs/policy.md` promises it. The decisions are those of the real
 * service over a real store; what people should get has no outside witness.
 */
const fleet = await openSmallFleet()
const { store, service } = fleet
afterAll(() => fleet.close())
const { clock, random } = service.services
const { releases } = commandReleases({ store, clock, random, requiresHardware: false })
const MINUTE = 60
const GRACE = { grace_seconds: 10 * MINUTE }
const strict = policyWith('attestation.enclaveSvn > 1000', GRACE)
const asking = { by: 'test', reason: 'x', maxAgeMs: 60_000, second: NO_SECOND }
const anybody = { ...asking, acceptedDenials: ANY_DENIALS }

async function activate(document: typeof strict): Promise<void> {
  const names = { author: 'test', reason: 'test', now: service.clock.now() }
  await putInForce(store, { ...document, body: document.body as Json, ...names })
}
const isAllowed = async (id: string) => (await fleet.ask(id)).decision

test('after a rollout that ended it is as if that had never been: grace that ran out meanwhile is over', async () => {
  await activate(strict)
  const label = newId('label-')
  const [id = ''] = await fleet.makeDevices(1, { labels: [label] })
  expect(await isAllowed(id)).toBe(true)
  const plan = { ...PLAN, stages: [{ percent: 0, labels: [label] }] }
  const mild = policyWith('attestation.enclaveSvn > 1000', { severity: 'report' })
  const rollout = await fleet.start(mild, { plan, pass: 'enforce' })
  service.clock.advance(11 * MINUTE)
  expect(await isAllowed(id)).toBe(true)
  expect(expectOk(await endRollout(releases, rollout, anybody))).toEqual({ newlyDenied: null })
  expect(await isAllowed(id)).toBe(false)
})

test('a version that comes into force again begins anew: its grace counts from its return', async () => {
  await activate(strict)
  const [id = ''] = await fleet.makeDevices(1)
  await activate(policyWith('attestation.enclaveSvn > 1000', { severity: 'report' }))
  service.clock.advance(11 * MINUTE)
  const back = expectOk(await rollBack(releases, { ...anybody, kind: 'policy' }))
  expect(back.hash).toBe(strict.hash)
  expect(await isAllowed(id)).toBe(true)
  service.clock.advance(10 * MINUTE - 1)
  expect(await isAllowed(id)).toBe(true)
  service.clock.advance(1)
  expect(await isAllowed(id)).toBe(false)
})
