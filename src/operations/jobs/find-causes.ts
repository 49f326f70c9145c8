import { isActiveAt } from '../../access/verdict.ts'
import { visitInSlices } from '../../base/slices.ts'
import { type AttestedRecord, type Correlation, searchCorrelations } from '../../replay/causes.ts'
import { isAttested } from '../../replay/preview/compare.ts'
import { isEnforcing } from '../../rollout/rollout.ts'
import { type FleetRecord, readSample } from '../../store/devices/fleet-reads.ts'
import type { Store } from '../../store/store.ts'
import type { RulesInForce } from '../release/rules-in-force.ts'

/** Devices that are looked at in one round. One in a hundred is then twenty of them. */
const SAMPLE = 2000
const MIN_DEVICES = 10
const MIN_SHARE = 0.01
/** Several rounds, so that what the clock will bring about is held before it comes. */
const LOOK_AHEAD_MS = 15 * 60_000
/** A first failure in this time is a new one. */
export const WINDOW_MS = 30 * 60_000

/** Looks for causes that many good devices meet at once, in the next sample of the fleet. */
export async function findHeldCauses(
  store: Pick<Store, 'fleetPage'>,
  input: {
    readonly rulesInForce: RulesInForce
    readonly after: string
    /** For how long an attestation counts: after that all of the fleet has attested under the rules. */
    readonly validityMs: number
    /** Whether a device counts as one of many. */
    readonly counts: (record: FleetRecord) => boolean
    readonly now: Date
  },
): Promise<{ readonly found: readonly Correlation[]; readonly last: string }> {
  const { rulesInForce, now } = input
  const { records, last } = await readSample(store, { after: input.after, most: SAMPLE })
  const attested: AttestedRecord[] = records
    .filter(isAttested)
    .filter((record) => input.counts(record) && isActiveAt(record, now))
  const { active, rollouts } = rulesInForce.control
  // Else devices that fail for the first time may only have been asked for the first time.
  const isSettled = active.every(({ activatedAt }) => {
    return activatedAt.getTime() + input.validityMs + WINDOW_MS <= now.getTime()
  })
  const search = searchCorrelations({
    rulesOf: (record) => rulesInForce.rulesFor(record, now).rules,
    now,
    lookAheadMs: LOOK_AHEAD_MS,
    since: new Date(now.getTime() - WINDOW_MS),
    isArmed: isSettled && !rollouts.some(isEnforcing),
    limits: { devices: MIN_DEVICES, share: MIN_SHARE },
  })
  await visitInSlices(attested, search.add)
  return { found: search.found(), last }
}
