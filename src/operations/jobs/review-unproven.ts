import type { Documents } from '../../access/assess.ts'
import { COMMAND } from '../../base/command.ts'
import { describeFault, type Log } from '../../base/log.ts'
import { visitInSlices } from '../../base/slices.ts'
import type { Config } from '../../config/config.ts'
import { createPreview } from '../../replay/preview/preview.ts'
import { listUnreadClaims } from '../../replay/preview/read-claims.ts'
import { readSample } from '../../store/devices/fleet-reads.ts'
import type { Store } from '../../store/store.ts'
import { newControlId } from '../release/control-id.ts'
import type { RulesReader } from '../release/rules-in-force.ts'

export type ReviewDependencies = {
  readonly store: Pick<Store, 'fleetPage' | 'countUnvouched' | 'beginHold'>
  readonly rules: Pick<RulesReader, 'recent'>
  readonly clock: () => Date
  readonly log: Log
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
  readonly config: Pick<Config, 'holdSeconds'>
}

/** Devices that are looked at: the whole of a small fleet, of a large one a sample by chance. */
const SAMPLE = 2000
/** Rows that are counted; of more it is said that there are as many at least. */
const COUNTED = 100_000
/** So many good devices of the sample at least, and such a share of them, are a wave. */
const MIN_DEVICES = 10
const MIN_SHARE = 0.01
/** For this cause there is one hold, and no other while evidence of before it can still count. */
const REST_MS = 31 * 24 * 3_600_000
const MAX_HOLDS = 8

/**
 * At the start of a process: where the configuration says that hardware has to be proven, evidence of
 * before, for which nobody vouches, counts no more. Says how many records that concerns and what a
 * preview makes of it, before anybody is denied; and where it would lock out many good devices at once,
 * holds the cause for them, as any cause that many meet at once. Bounded: a sample and a count with an
 * end. A fault keeps no service from its start.
 */
export async function reviewUnproven(dependencies: ReviewDependencies): Promise<void> {
  const { store, rules, clock, log, random, config } = dependencies
  try {
    const { active } = await rules.recent()
    const before = withoutConfiguration(active)
    if (before === active) return
    const found = await previewSample(dependencies, before, active)
    if (found.devices === 0) return
    const now = clock()
    const unvouched = await store.countUnvouched(COUNTED)
    const isWave = found.devices >= MIN_DEVICES && found.share >= MIN_SHARE
    const held =
      isWave && config.holdSeconds > 0
        ? await store.beginHold({
            holdId: newControlId('hld', random),
            cause: { kind: 'hardware_unproven' },
            covers: now,
            until: new Date(now.getTime() + config.holdSeconds * 1000),
            evidence: found,
            lengthen: false,
            most: MAX_HOLDS,
            restMs: REST_MS,
            now,
          })
        : 'none'
    log.warn('records_unproven', {
      unvouched_devices: unvouched,
      sampled: found.sampled,
      compared: found.compared,
      newly_refused: found.devices,
      share: found.share,
      hold: held,
      consequence:
        'what these devices proved before trust anchors were configured counts no more, from now on or from the end of the hold',
      remedy: `let them attest with a certified key, or enrol them; ${COMMAND} holds list`,
    })
  } catch (error) {
    log.error('job_failed', { job: 'review_unproven', ...describeFault(error) })
  }
}

/** The same rules as if the configuration named no anchors; the same object where that is no change. */
function withoutConfiguration(rules: Documents): Documents {
  const { referenceValues } = rules
  const listsAnchors = referenceValues.anchors.size > 0
  if (referenceValues.requiresHardware === listsAnchors) return rules
  return { ...rules, referenceValues: { ...referenceValues, requiresHardware: listsAnchors } }
}

async function previewSample(
  { store, clock }: ReviewDependencies,
  inForce: Documents,
  candidate: Documents,
) {
  const leaveOut = listUnreadClaims([inForce, candidate])
  const { records } = await readSample(store, { after: '', most: SAMPLE, leaveOut })
  const preview = createPreview({ inForce, candidate, now: clock() })
  await visitInSlices(records, preview.add)
  const { compared, newly_refused } = preview.summary()
  const { devices, share } = newly_refused
  return { sampled: records.length, compared, devices, share }
}
