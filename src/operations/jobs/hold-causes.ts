import { COMMAND } from '../../base/command.ts'
import type { Log } from '../../base/log.ts'
import type { Config } from '../../config/config.ts'
import { keyOfCause } from '../../rollout/hold.ts'
import type { Json } from '../../store/json.ts'
import type { Store } from '../../store/store.ts'
import { newControlId } from '../release/control-id.ts'
import type { RulesReader } from '../release/rules-in-force.ts'
import { findHeldCauses, WINDOW_MS } from './find-causes.ts'
import { type SteeringConfig, whoSteers } from './who-steers.ts'

export type HoldCausesDependencies = {
  readonly store: Pick<Store, 'inForce' | 'fleetPage' | 'beginHold'>
  readonly rules: Pick<RulesReader, 'at'>
  readonly clock: () => Date
  readonly log: Log
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
  readonly config: SteeringConfig & Pick<Config, 'holdSeconds' | 'attestationValiditySeconds'>
}

/** Holds that are open at once; more causes than that are no coincidence any more. */
const MAX_HOLDS = 3
/** For so long a cause that was held is not held again by itself. */
const REST_MS = 24 * 3_600_000

/**
 * One round of the search for causes that many good devices meet at once, in the next sample of the
 * fleet, from `position` on: each is held for `holdSeconds`, and operators are told. Answers where
 * the next sample begins.
 */
export async function holdCauses(
  { store, rules, clock, log, random, config }: HoldCausesDependencies,
  position: string,
): Promise<string> {
  if (config.holdSeconds === 0) return position
  const now = clock()
  const rulesInForce = await rules.at(await store.inForce())
  const { found, last } = await findHeldCauses(store, {
    rulesInForce,
    after: position,
    counts: whoSteers(config, rulesInForce.active.referenceValues).holds,
    validityMs: config.attestationValiditySeconds * 1000,
    now,
  })
  for (const { cause, ...evidence } of found) {
    const answer = await store.beginHold({
      holdId: newControlId('hld', random),
      cause,
      covers: new Date(now.getTime() - WINDOW_MS),
      until: new Date(now.getTime() + config.holdSeconds * 1000),
      evidence: evidence as Json,
      lengthen: false,
      most: MAX_HOLDS,
      restMs: REST_MS,
      now,
    })
    if (answer === 'unchanged') continue
    log.error(answer === 'applied' ? 'hold_begun' : 'hold_not_possible', {
      cause: keyOfCause(cause),
      devices: evidence.devices,
      of_good_devices: evidence.good,
      answer,
      remedy: `${COMMAND} holds list`,
    })
  }
  return last
}
