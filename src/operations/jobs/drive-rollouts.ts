import { COMMAND } from '../../base/command.ts'
import { isOpen } from '../../rollout/rollout.ts'
import type { Store } from '../../store/store.ts'
import { driveRollout } from '../release/drive-rollout.ts'
import type { RulesReader } from '../release/rules-in-force.ts'
import { checkStage } from '../release/stage-health.ts'
import { logHalt, logStep, type RolloutReporters } from './log-rollout.ts'
import { type SteeringConfig, whoSteers } from './who-steers.ts'

export type DriveRolloutsDependencies = RolloutReporters & {
  readonly store: Pick<
    Store,
    'inForce' | 'fleetPage' | 'rolloutObservations' | 'stepRollout' | 'recordRolloutHealth'
  >
  readonly rules: Pick<RulesReader, 'at'>
  readonly clock: () => Date
  readonly config: SteeringConfig
}

/**
 * One round of the open rollouts: checks the stage of each on the next sample of the fleet, from
 * `position` on, and takes the step that follows. Answers where the next sample begins. Each step
 * is one statement from one revision, so that processes may die anywhere or work at once.
 */
export async function driveRollouts(
  dependencies: DriveRolloutsDependencies,
  position: string,
): Promise<string> {
  const { store, clock, log, rules, config } = dependencies
  const rulesInForce = await rules.at(await store.inForce())
  for (const hash of rulesInForce.unusable) {
    log.error('document_unusable', { hash, remedy: `${COMMAND} rollout list` })
  }
  const { budgets: counts } = whoSteers(config, rulesInForce.active.referenceValues)
  let last = position
  for (const rollout of rulesInForce.control.rollouts) {
    if (!isOpen(rollout.state)) continue
    const now = clock()
    const checked = await checkStage(store, { rollout, rulesInForce, after: position, counts, now })
    const { health } = checked
    last = checked.last
    const { step, answer } = await driveRollout(store, rollout, { health, now: clock() })
    if (answer !== 'applied') continue
    if (step.kind === 'halt') logHalt(dependencies, rollout, 'replay')
    else if (step.kind !== 'stay') logStep(dependencies, rollout, step.kind)
  }
  return last
}
