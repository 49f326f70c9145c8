import { percentage, plural } from '../../base/words.ts'
import { budgetAt } from '../../rollout/budget.ts'
import {
  followingStep,
  nameStage,
  nextStep,
  type Rollout,
  type RolloutHealth,
  type RolloutStep,
} from '../../rollout/rollout.ts'
import type { RolloutAction, RolloutStepAnswer } from '../../store/rules/rollouts.ts'
import { SERVICE } from '../../store/schema/system-schema.ts'
import type { Store } from '../../store/store.ts'

type Steps = Pick<Store, 'stepRollout' | 'recordRolloutHealth'>

export type Driven = {
  readonly step: RolloutStep
  readonly answer: RolloutStepAnswer | 'applied'
}

/**
 * Takes the step that follows from a check. Whether it was another process that took it, or this one
 * died before or after, makes no difference: each step is one statement from one revision.
 */
export async function driveRollout(
  store: Steps,
  rollout: Rollout,
  { health, now }: { readonly health: RolloutHealth; readonly now: Date },
): Promise<Driven> {
  const step = nextStep(rollout, { health, now })
  if (step.kind === 'stay') {
    const { rolloutId, revision } = rollout
    return { step, answer: await store.recordRolloutHealth({ rolloutId, revision, health }) }
  }
  const note = step.kind === 'halt' ? describeHalt(rollout, health) : describeStage(rollout, health)
  const answer = await take(store, rollout, { step, health, note, by: SERVICE, now })
  return { step, answer }
}

/** Ends a rollout over what this process saw, without waiting for a check. */
export function haltRollout(
  store: Steps,
  rollout: Rollout,
  input: { readonly newlyDenied: number; readonly now: Date },
): Promise<RolloutStepAnswer> {
  const { newlyDenied, now } = input
  const devices = plural(newlyDenied, 'device')
  const [were, they] = newlyDenied === 1 ? ['was', 'it'] : ['were', 'they']
  const lost =
    rollout.pass === 'audit'
      ? `${devices} would have been denied what ${they} asked for, and ${were} allowed it`
      : `${devices} ${were} denied what ${they} asked for, and would have been allowed it before`
  const note = `halted in ${nameStage(rollout)}: ${lost}`
  return store.stepRollout({
    ...standOf(rollout),
    action: 'halted',
    state: 'halted',
    note,
    health: rollout.health,
    by: SERVICE,
    now,
  })
}

export type RolloutVerb = 'pause' | 'resume' | 'promote' | 'revert'

/**
 * What an administrator does to an open rollout. `promote` goes one stage on, whatever it would
 * have waited for; `revert` is for `endRollout`, which counts first. `not_now`: the state does not allow it.
 */
export async function stepByHand(
  store: Steps,
  rollout: Rollout,
  input: {
    readonly verb: RolloutVerb
    readonly by: string
    readonly reason: string
    readonly now: Date
  },
): Promise<RolloutStepAnswer | 'not_now'> {
  const { verb, by, reason, now } = input
  const { state } = rollout
  const common = { ...standOf(rollout), note: reason, health: rollout.health, by, now }
  if (state !== 'running' && state !== 'paused') return 'not_now'
  switch (verb) {
    case 'pause':
      if (state === 'paused') return 'not_now'
      return store.stepRollout({ ...common, action: 'paused', state: 'paused' })
    case 'resume':
      if (state === 'running') return 'not_now'
      return store.stepRollout({ ...common, action: 'resumed', state: 'running' })
    case 'revert':
      return store.stepRollout({ ...common, action: 'reverted', state: 'reverted' })
    case 'promote': {
      const step = followingStep(rollout)
      return take(store, rollout, { step, health: rollout.health, note: reason, by, now })
    }
  }
}

async function take(
  store: Steps,
  rollout: Rollout,
  input: {
    readonly step: RolloutStep
    readonly health: RolloutHealth | null
    readonly note: string
    readonly by: string
    readonly now: Date
  },
): Promise<RolloutStepAnswer> {
  const { step, ...told } = input
  const action: RolloutAction = input.by === SERVICE ? 'entered' : 'promoted'
  const stand = { ...standOf(rollout), ...told }
  switch (step.kind) {
    case 'halt':
      return store.stepRollout({ ...stand, action: 'halted', state: 'halted' })
    case 'complete':
      return store.stepRollout({ ...stand, action: 'done', state: 'done' })
    case 'enter': {
      const { pass, stage } = step
      return store.stepRollout({ ...stand, action, state: 'running', pass, stage })
    }
    case 'stay':
      throw new TypeError('a stay is no step to take')
  }
}

function standOf({ rolloutId, revision, pass, stage }: Rollout) {
  return { rolloutId, revision, pass, stage }
}

function describeHalt(rollout: Rollout, health: RolloutHealth): string {
  const causeNames = health.causes.slice(0, 3).map(({ cause, devices }) => `${cause} (${devices})`)
  const lost = describeLost(rollout, health)
  return `halted in ${nameStage(rollout)}: ${lost}, more than ${describeBudget(rollout, health)}: ${causeNames.join(', ')}`
}

/** What is accepted is not healthy, and what is only tried denies nobody. */
function describeStage(rollout: Rollout, health: RolloutHealth): string {
  const place = nameStage(rollout)
  if (health.newlyDenied === 0) return `${place} was healthy: ${describeLost(rollout, health)}`
  return `${place} kept to ${describeBudget(rollout, health)}: ${describeLost(rollout, health)}`
}

function describeLost({ pass }: Rollout, { newlyDenied, compared, from }: RolloutHealth): string {
  const who = `${newlyDenied === 0 ? 'none' : newlyDenied.toLocaleString('en')} of ${plural(compared, 'device')}`
  if (from !== undefined) return `${who} would be denied from ${from} on`
  const isOne = newlyDenied <= 1
  return pass === 'audit'
    ? `${who} would have been denied that ${isOne ? 'is' : 'are'} allowed`
    : `${who} ${isOne ? 'is' : 'are'} denied that ${isOne ? 'was' : 'were'} allowed before`
}

/** What may be lost when it is too much; where it is not, by the last time that was looked at. */
function describeBudget({ plan }: Rollout, { at, from, later = [] }: RolloutHealth): string {
  const { devices, share } = budgetAt(plan.budget, new Date(from ?? later.at(-1)?.at ?? at))
  return `the budget of ${plural(devices, 'device')} or ${percentage(share)}`
}
