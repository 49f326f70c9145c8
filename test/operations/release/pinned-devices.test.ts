import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { describePreview } from '../../../src/cli/policy/describe-preview.ts'
import { commandReleases } from '../../../src/compose/release.ts'
import {
  type CheckedDocument,
  checkDocument,
} from '../../../src/operations/release/check-document.ts'
import { previewDocument } from '../../../src/operations/release/preview.ts'
import { checkStage } from '../../../src/operations/release/stage-health.ts'
import { listLaterLosses } from '../../../src/replay/preview/summary.ts'
import type { Rollout } from '../../../src/rollout/rollout.ts'
import { newId } from '../../store/fixtures.ts'
import { expectOk } from '../../support/refusal.ts'
import { type Document, policyWith } from './documents.ts'
import { openSmallFleet, PLAN } from './small-fleet.ts'

/*
 * What a preview and the check of a stage say of devices for which a pin lets another version decide, held against
 * the answers of the real service after the release. Both sides are ours.
 */
const fleet = await openSmallFleet()
const { store, service, policy } = fleet
afterAll(() => fleet.close())
const now = () => service.clock.now()
const { clock, random } = service.services
const { previews } = commandReleases({ store, clock, random, requiresHardware: false })
const NOBODY = policyWith('attestation.enclaveSvn > 1000')
const HOUR_MS = 3_600_000
const inHours = (hours: number) => new Date(now().getTime() + hours * HOUR_MS)

let label: string
let pinned: readonly string[]
let free: readonly string[]
beforeEach(async () => {
  for (const { rolloutId, revision, pass, stage } of (await store.control()).rollouts) {
    const end = { rolloutId, revision, pass, stage, action: 'reverted', state: 'reverted' } as const
    await store.stepRollout({ ...end, note: '', health: null, by: 'test', now: now() })
  }
  label = newId('label-')
  pinned = await fleet.makeDevices(3, { labels: [label, `pinned-${label}`] })
  free = await fleet.makeDevices(2, { labels: [label] })
})

async function pin(name: string, hours: number, hash = policy.hash): Promise<void> {
  const names = { target: { kind: 'label', name }, reason: 'a lab', author: 'test' } as const
  const what = { action: 'pin', kind: 'policy', hash } as const
  const times = { expiresAt: inHours(hours), now: now() }
  const override = { ...names, ...times, what, overrideId: newId('ovr_') }
  expect(await store.createOverride(override)).toBe('applied')
}

const checked = ({ kind, body }: Document): CheckedDocument => expectOk(checkDocument(kind, body))
const rowOf = (rows: readonly { readonly key: string | null }[]) =>
  rows.find(({ key }) => key === label)

test('a preview denies them from the end of the last pin on, and says how many they are', async () => {
  await pin(`pinned-${label}`, 2)
  await pin(`pinned-${label}`, 5)
  const summary = await previewDocument(previews, { document: checked(NOBODY), by: 'test' })
  expect(rowOf(summary.by_label.keys)).toMatchObject({ newly_denied: 2, denied_later: 3 })
  const at = inHours(5).toISOString()
  expect(listLaterLosses(summary)).toContainEqual({ at, devices: 3 })
  expect(summary.pinned).toBe(3)
  expect(describePreview(summary)).toContain(
    'For 3 devices a pin lets another version decide: nothing changes for them before their pins end.',
  )
})

describe('the check of a stage', () => {
  async function lossesOf(rollout: Rollout) {
    const rulesInForce = await service.services.rules.at(await store.inForce())
    const of = { rollout, rulesInForce, after: '', counts: () => true, now: now() }
    return (await checkStage(store, of)).health
  }

  test.each(['audit', 'enforce'] as const)(
    'counts none that is pinned for longer than it looks ahead: %s',
    async (pass) => {
      await pin(`pinned-${label}`, 30)
      const plan = { ...PLAN, stages: [{ percent: 0, labels: [label] }] }
      const rollout = await fleet.start(NOBODY, { plan, pass })
      expect(await lossesOf(rollout)).toMatchObject({ compared: 5, newlyDenied: 2 })
      const answers = await fleet.askAll([...pinned, ...free])
      expect(answers).toEqual([true, true, true, pass === 'audit', pass === 'audit'])
    },
  )

  test('counts those whose pins end within the day, from then on', async () => {
    await pin(`pinned-${label}`, 3)
    const plan = {
      ...PLAN,
      stages: [{ percent: 0, labels: [`pinned-${label}`] }],
      budget: { devices: 0, share: 0 },
    }
    const health = await lossesOf(await fleet.start(NOBODY, { plan }))
    expect(health).toMatchObject({ newlyDenied: 3, from: inHours(3).toISOString() })
  })
})
