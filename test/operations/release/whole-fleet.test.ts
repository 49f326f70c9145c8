import { describe, expect, test } from 'vitest'
import { putInForce } from '../../support/put-in-force.ts'
import { policyWith } from './documents.ts'
import { INTERVAL_SECONDS, runToEnd, toEntry } from './fleet.ts'
import { beginScenarios, LARGE, shown, values, withFleet } from './scenarios.ts'

beginScenarios()

describe('a root that is in force and expires', () => {
  test('is held before the first device is denied, and named', async () => {
    await withFleet(async (fleet) => {
      const document = values(fleet, {
        trust_anchors: [
          toEntry(fleet.anchors.kept),
          { ...toEntry(fleet.anchors.other), valid_until: '2026-03-02T08:20:00Z' },
        ],
      })
      const now = fleet.service.clock.now()
      const names = { author: 'test', reason: 'at once', now }
      await putInForce(fleet.store, { ...document, body: document.body as never, ...names })
      const harmed = new Set<string>()
      for (let passed = 0; passed < 2400; passed += INTERVAL_SECONDS) {
        await fleet.passInterval()
        if (passed % 300 === 0) for (const id of await fleet.askAll()) harmed.add(id)
      }
      expect(harmed.size).toBe(0)
      const [held, ...others] = await fleet.store.listHolds(10)
      expect(others).toEqual([])
      expect(held).toMatchObject({
        cause: { kind: 'anchor_not_listed', anchor: fleet.anchors.other.fingerprint },
        endedAt: null,
      })
      expect(fleet.service.logs.join()).toContain('"event":"hold_begun"')
      const events = await fleet.service.query(
        `select payload from outbox where type = 'hold-changed'`,
      )
      expect(events).toHaveLength(1)
      shown.push(
        `     0      -    -               correlation breaker    a root that is in force and expires`,
      )
    })
  })
})

/** Of so many that the last stages are looked at by samples. */
describe('a good change', () => {
  test('goes through all rings twice and comes into force', async () => {
    await withFleet(async (fleet) => {
      const rollout = await fleet.start(policyWith('attestation.enclaveSvn >= 5'))
      const outcome = await runToEnd(fleet, rollout, { asks: false })
      expect(outcome).toMatchObject({ state: 'done', pass: 'enforce', stage: 4 })
      expect((await fleet.store.activeDocument('policy'))?.hash).toBe(rollout.to)
      expect((await fleet.askAll()).size).toBe(0)
      const steps = await fleet.service.query(
        `select detail ->> 'pass' as pass, (detail ->> 'stage')::integer as stage from audit
         where action in ('rollout.entered', 'rollout.done') order by at, audit_id`,
      )
      expect(steps).toEqual([
        ...[1, 2, 3, 4].map((stage) => ({ pass: 'audit', stage })),
        ...[0, 1, 2, 3, 4, 4].map((stage) => ({ pass: 'enforce', stage })),
      ])
    }, LARGE)
  })
})
