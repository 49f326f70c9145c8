import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { CompiledPolicy } from '../../../src/policy/document/compile.ts'
import { HEALTHY } from '../../policy/healthy-device.ts'
import { policyWith } from '../release/documents.ts'
import { openSmallFleet } from '../release/small-fleet.ts'

/**
 * Counts how often a clause is evaluated for one question. The witness is the count itself: nobody
 * else's, and none is to be had, since it is about work that only this service does.
 */
const fleet = await openSmallFleet()
const { service } = fleet
const [good = ''] = await fleet.makeDevices(1)
const [bad = ''] = await fleet.makeDevices(1, {
  claims: { ...HEALTHY, secureBootEnabled: false },
})
afterAll(() => fleet.close())

const counts = new Map<string, number>()
const watched = new Set<object>()
beforeEach(() => counts.clear())

/** From now on, each evaluation of a clause of this policy is counted under the name of the clause. */
function countClauses({ clauses }: CompiledPolicy): void {
  for (const { id, require } of clauses) {
    if (watched.has(require)) continue
    watched.add(require)
    const { evaluate } = require
    Object.assign(require, {
      evaluate: (...input: Parameters<typeof evaluate>) => {
        counts.set(id, (counts.get(id) ?? 0) + 1)
        return evaluate(...input)
      },
    })
  }
}

/** How often each clause was evaluated. */
const counted = () => new Set(counts.values())

async function end(rolloutId: string): Promise<void> {
  const { revision, pass, stage } = await fleet.rollout(rolloutId)
  const step = { rolloutId, revision, pass, stage, action: 'reverted', state: 'reverted' } as const
  const now = service.clock.now()
  await fleet.store.stepRollout({ ...step, note: '', health: null, by: 'test', now })
}

describe('while a rollout is open and a receipt is asked for', () => {
  test.each([
    ['audit', good, true, 1000],
    ['enforce', good, false, 1001],
    ['enforce', bad, false, 1002],
  ] as const)(
    'in the %s pass, a question evaluates each clause once',
    async (pass, id, granted, svn) => {
      const document = policyWith(`attestation.enclaveSvn > ${svn}`)
      const { rolloutId } = await fleet.start(document, { pass })
      const rulesInForce = await service.services.rules.at(await fleet.store.trustRecords([]))
      const { active } = rulesInForce
      const rolledOut = rulesInForce.rulesOf(document.hash, active.referenceValues.hash)
      countClauses(active.policy)
      countClauses(rolledOut.policy)

      const answer = await fleet.ask(id, { receipt: true })
      expect(answer.decision).toBe(granted)
      expect(answer.context).toHaveProperty('receipt')
      // All of the baseline, and the one that the other document adds.
      expect(counts.size).toBe(active.policy.clauses.length + 1)
      expect(counted()).toEqual(new Set([1]))
      await end(rolloutId)
    },
  )
})
