import { COMMAND } from '../../base/command.ts'
import { describeFault } from '../../base/log.ts'
import type { Services } from '../../compose/services.ts'
import { isOpen, type Rollout } from '../../rollout/rollout.ts'
import type { Json } from '../../store/json.ts'
import { newControlId } from '../release/control-id.ts'
import { driveRollout, SERVICE } from '../release/drive-rollout.ts'
import type { RulesInForce } from '../release/rules-in-force.ts'
import { checkStage } from '../release/stage-health.ts'
import { findHeldCauses, WINDOW_MS } from './find-causes.ts'
import { sweepFleet } from './sweep.ts'
import { whoSteers } from './who-steers.ts'

/** A round that takes longer is somebody else's to repeat. */
const LEASE_MS = 10_000
/** Holds that are open at once; more causes than that are no coincidence any more. */
const MAX_HOLDS = 3
/** For so long a cause that was held is not held again by itself. */
const REST_MS = 24 * 3_600_000

/**
 * One round of control: drives the open rollouts, holds causes that many good devices meet at once,
 * and ends what is over. Any number of processes may run it at any time, and each of them may die
 * anywhere: every step is one statement, and what is not done the next round finds again.
 */
export async function runControl(services: Services, signal?: AbortSignal): Promise<void> {
  const rounds: Readonly<Record<string, (services: Services) => Promise<void>>> = {
    report_shadow_decisions: reportShadowDecisions,
    end_expired: endExpired,
    drive_rollouts: (all) => exclusively(all, 'drive_rollouts', driveRollouts),
    hold_causes: (all) => exclusively(all, 'hold_causes', holdCauses),
    sweep: (all) => exclusively(all, 'sweep', sweepFleet),
  }
  for (const [name, round] of Object.entries(rounds)) {
    if (signal?.aborted) return
    try {
      await round(services)
    } catch (error) {
      // One that cannot run must not keep the others from it; the next round tries again.
      services.log.error('control_failed', { round: name, ...describeFault(error) })
    }
  }
}

/** Tells what this process saw of rollouts; called between rounds too, where that cannot wait. */
export async function reportShadowDecisions(services: Services): Promise<void> {
  const halted = await services.shadow.report(services.clock())
  for (const rollout of halted) logHalt(services, rollout, 'denied_questions')
}

/** Runs in one process at a time, from where the last one ended. Fails where a lease is lost. */
async function exclusively(
  services: Services,
  job: string,
  round: (services: Services, position: string) => Promise<string>,
): Promise<void> {
  const { store, clock, processId: holder } = services
  const now = clock()
  const until = new Date(now.getTime() + LEASE_MS)
  const position = await store.claimJob({ job, holder, now, until })
  if (position === null) return
  let next = position
  try {
    next = await round(services, position)
  } finally {
    await store.yieldJob({ job, holder, position: next, until: null })
  }
}

async function driveRollouts(services: Services, position: string): Promise<string> {
  const { store, clock } = services
  const rulesInForce = await services.rules.at(await store.inForce())
  for (const hash of rulesInForce.unusable) {
    services.log.error('document_unusable', { hash, remedy: `${COMMAND} rollout list` })
  }
  const { budgets: counts } = whoSteers(services.config, rulesInForce.active.referenceValues)
  let last = position
  for (const rollout of rulesInForce.control.rollouts) {
    if (!isOpen(rollout.state)) continue
    const now = clock()
    const checked = await checkStage(store, { rollout, rulesInForce, after: position, counts, now })
    const { health } = checked
    last = checked.last
    const { step, answer } = await driveRollout(store, rollout, { health, now: clock() })
    if (answer !== 'applied') continue
    if (step.kind === 'halt') logHalt(services, rollout, 'replay')
    else if (step.kind !== 'stay') logStep(services, rollout, step.kind)
  }
  return last
}

async function holdCauses(services: Services, position: string): Promise<string> {
  const { store, clock, config } = services
  if (config.holdSeconds === 0) return position
  const now = clock()
  const rulesInForce = await services.rules.at(await store.inForce())
  const { found, last } = await findHeldCauses(store, {
    rulesInForce,
    after: position,
    counts: whoSteers(config, rulesInForce.active.referenceValues).holds,
    validityMs: config.attestationValiditySeconds * 1000,
    now,
  })
  for (const { cause, ...evidence } of found) {
    const answer = await store.beginHold({
      holdId: newControlId('hld', services.random),
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
    const { devices, good } = evidence
    const told = { cause: describeCause(cause), devices, of_good_devices: good }
    services.log.error(answer === 'applied' ? 'hold_begun' : 'hold_not_possible', {
      ...told,
      answer,
      remedy: `${COMMAND} holds list`,
    })
  }
  return last
}

async function endExpired(services: Services): Promise<void> {
  const { store, clock } = services
  const reason = 'its time is over'
  for (const { overrideId } of await store.expiredOverrides(clock())) {
    const answer = await store.endOverride({ overrideId, by: SERVICE, reason, now: clock() })
    if (answer === 'applied') services.log.warn('override_ended', { override_id: overrideId })
  }
  for (const { holdId, cause } of await store.expiredHolds(clock())) {
    const answer = await store.endHold({ holdId, by: SERVICE, reason, now: clock() })
    if (answer === 'applied') services.log.warn('hold_ended', { cause: describeCause(cause) })
  }
}

function describeCause(cause: RulesInForce['control']['holds'][number]['cause']): string {
  return Object.values(cause).join(' ')
}

function logHalt(services: Services, rollout: Rollout, found: 'replay' | 'denied_questions'): void {
  services.metrics.rolloutSteps.labels('halt').inc()
  services.log.error('rollout_halted', {
    rollout_id: rollout.rolloutId,
    kind: rollout.kind,
    pass: rollout.pass,
    stage: rollout.stage,
    found,
    remedy: `${COMMAND} rollout show ${rollout.rolloutId}`,
  })
}

function logStep(services: Services, rollout: Rollout, step: string): void {
  services.metrics.rolloutSteps.labels(step).inc()
  services.log.warn('rollout_stepped', { rollout_id: rollout.rolloutId, kind: rollout.kind, step })
}
