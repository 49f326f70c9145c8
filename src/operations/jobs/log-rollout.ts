import { COMMAND } from '../../base/command.ts'
import type { Log } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import { nameStage, type Rollout } from '../../rollout/rollout.ts'

export type RolloutReporters = {
  readonly log: Log
  readonly metrics: Pick<Metrics, 'rolloutSteps'>
}

/** Tells operators that a rollout has halted, and which of the two checks found why. */
export function logHalt(
  { log, metrics }: RolloutReporters,
  rollout: Rollout,
  found: 'replay' | 'denied_questions',
): void {
  metrics.rolloutSteps.labels('halt').inc()
  log.error('rollout_halted', {
    rollout_id: rollout.rolloutId,
    kind: rollout.kind,
    pass: rollout.pass,
    stage: rollout.stage,
    place: nameStage(rollout),
    found,
    remedy: `${COMMAND} rollout show ${rollout.rolloutId}`,
  })
}

/** Tells operators of any other step that a rollout took by itself. */
export function logStep({ log, metrics }: RolloutReporters, rollout: Rollout, step: string): void {
  metrics.rolloutSteps.labels(step).inc()
  const { rolloutId: rollout_id, kind } = rollout
  log.warn('rollout_stepped', { rollout_id, kind, step, left: nameStage(rollout) })
}
