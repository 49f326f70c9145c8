import { err, ok, type Result } from '../../base/result.ts'
import type { Rollout } from '../../rollout/rollout.ts'
import type { Store } from '../../store/store.ts'
import { findLinted, type StoredDocumentFailure } from './check-document.ts'
import { type RolloutVerb, stepByHand } from './drive-rollout.ts'
import { type EndDependencies, type Ended, type EndRequest, endRollout } from './end-rollout.ts'
import { pointersOf, readInForce } from './gates.ts'
import { type ReleaseFailure, release } from './release.ts'

export const ROLLOUT_VERBS = [
  'pause',
  'resume',
  'promote',
  'revert',
] as const satisfies readonly RolloutVerb[]

export const STEER_REASONS = ['rollout_not_found', 'rollout_state_refused'] as const

export type SteerFailure =
  | { readonly reason: 'rollout_not_found' }
  /** The state of the rollout does not allow it. */
  | { readonly reason: 'rollout_state_refused'; readonly state: Rollout['state'] }
  | ReleaseFailure
  | StoredDocumentFailure

export type SteerDependencies = Omit<EndDependencies, 'store'> & {
  readonly store: EndDependencies['store'] & Pick<Store, 'listRollouts'>
}

/** What is accepted to be lost is for `revert`, the one of them that can take access from somebody by itself. */
export type RolloutCommand = EndRequest & {
  readonly rolloutId: string
  readonly verb: RolloutVerb
  /** Of the rollout as somebody saw it: a promotion that was asked for twice goes one stage. */
  readonly revision?: number | undefined
}

export type CommandedRollout = {
  readonly rollout: Rollout
  readonly changed: boolean
  /** Devices that lose their access by a return; `null` where nobody was counted. */
  readonly newlyDenied: number | null
}

/** As often as the service can take a step between two looks, and more. */
const MAX_TRIES = 5

/**
 * What an administrator does to a rollout. Asking again for what is done already changes nothing.
 * Whoever stops it wins over a step that the service takes at the same time; a promotion does not,
 * because it would go one stage further than was meant.
 */
export async function steerRollout(
  dependencies: SteerDependencies,
  command: RolloutCommand,
): Promise<Result<CommandedRollout, SteerFailure>> {
  const { store } = dependencies
  const { rolloutId, verb } = command
  let { revision } = command
  if (verb === 'promote') {
    const seen = await store.rollout(rolloutId)
    if (seen === null) return err({ reason: 'rollout_not_found' })
    // What two agree on is this stage: a promotion never begins at another one.
    revision ??= seen.revision
    const waits = await command.second.ask(revision)
    if (waits !== undefined) return err(waits)
  }
  const mayRepeat = verb === 'pause' || verb === 'revert'
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const rollout = await store.rollout(rolloutId)
    if (rollout === null) return err({ reason: 'rollout_not_found' })
    if (revision !== undefined && !isAsSeen(rollout, { revision, verb })) break
    if (isSteered(rollout, verb)) return ok({ rollout, changed: false, newlyDenied: 0 })
    if (verb === 'revert' && rollout.state === 'done') {
      return bringBack(dependencies, rollout, command)
    }
    const step = await takeStep(dependencies, rollout, command)
    if (!step.ok) return step
    if (step.value !== 'elsewhere') {
      const now = (await store.rollout(rolloutId)) ?? rollout
      return ok({ rollout: now, changed: true, ...step.value })
    }
    if (!mayRepeat) break
  }
  return err({ reason: 'superseded' })
}

/** An end pauses what it counts: whoever asks for the same end again has seen it before that. */
function isAsSeen(
  rollout: Rollout,
  { revision, verb }: { readonly revision: number; readonly verb: RolloutVerb },
): boolean {
  const isPaused = verb === 'revert' && rollout.state === 'paused'
  return revision === rollout.revision || (isPaused && revision === rollout.revision - 1)
}

async function takeStep(
  dependencies: SteerDependencies,
  rollout: Rollout,
  command: RolloutCommand,
): Promise<Result<Ended, SteerFailure>> {
  const { verb } = command
  if (verb === 'revert') return endRollout(dependencies, rollout, command)
  const { store, clock } = dependencies
  const answer = await stepByHand(store, rollout, { ...command, verb, now: clock() })
  if (answer === 'not_now') return err({ reason: 'rollout_state_refused', state: rollout.state })
  return ok(answer === 'applied' ? { newlyDenied: 0 } : 'elsewhere')
}

function isSteered({ state }: Rollout, verb: RolloutVerb): boolean {
  switch (verb) {
    case 'pause':
      return state === 'paused'
    case 'resume':
      return state === 'running'
    case 'revert':
      // What was halted decides for nobody either.
      return state === 'reverted' || state === 'halted'
    case 'promote':
      return false
  }
}

/**
 * The rollout is over: the document from before it comes into force again, for all devices at once. That is
 * a release like any other. The preview that the rollout began with is not of this change read backwards:
 * devices attest otherwise meanwhile, dates and graces pass, and the new document may allow some that no
 * other does. Where it is the version before, one administrator may do it, once.
 */
async function bringBack(
  dependencies: SteerDependencies,
  rollout: Rollout,
  command: RolloutCommand,
): Promise<Result<CommandedRollout, SteerFailure>> {
  const { store, clock } = dependencies
  const { kind, from, to } = rollout
  const linted = await findLinted(store, { kind, hash: from, now: clock() })
  if (!linted.ok) return linted
  const { own } = pointersOf(kind, await readInForce(store))
  if (own === from) return ok({ rollout, changed: false, newlyDenied: 0 })
  if (own !== to) return err({ reason: 'superseded' })
  const way = { kind: 'at_once' } as const
  const released = await release(dependencies, {
    ...{ ...command, document: linted.value, way, expected: to },
  })
  if (!released.ok) return released
  return ok({ rollout, changed: true, newlyDenied: released.value.newlyDenied })
}
