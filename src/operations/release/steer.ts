import { err, ok, type Result } from '../../base/result.ts'
import { isOpen, type Rollout } from '../../rollout/rollout.ts'
import type { Store } from '../../store/store.ts'
import { bodyOf, findUsable, type StoredDocumentFailure } from './check-document.ts'
import { type RolloutVerb, steerRollout } from './drive-rollout.ts'
import type { ReleaseFailure } from './release.ts'

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
  | Extract<ReleaseFailure, { readonly reason: 'superseded' }>
  | StoredDocumentFailure

export type RolloutCommand = {
  readonly rolloutId: string
  readonly verb: RolloutVerb
  /** Of the rollout as somebody saw it: a promotion that was asked for twice goes one stage. */
  readonly revision?: number | undefined
  readonly by: string
  readonly reason: string
  readonly now: Date
}

export type CommandedRollout = { readonly rollout: Rollout; readonly changed: boolean }

/** As often as the service can take a step between two looks, and more. */
const MAX_TRIES = 5

/**
 * What an administrator does to a rollout. Asking again for what is done already changes nothing.
 * Whoever stops it wins over a step that the service takes at the same time; a promotion does not,
 * because it would go one stage further than was meant.
 */
export async function steer(
  store: Store,
  command: RolloutCommand,
): Promise<Result<CommandedRollout, SteerFailure>> {
  const { rolloutId, verb, revision } = command
  const mayRepeat = verb === 'pause' || verb === 'revert'
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const rollout = await store.rollout(rolloutId)
    if (rollout === null) return err({ reason: 'rollout_not_found' })
    if (revision !== undefined && revision !== rollout.revision) break
    if (isSteered(rollout, verb)) return ok({ rollout, changed: false })
    if (verb === 'revert' && rollout.state === 'done') return bringBack(store, rollout, command)
    const answer = await steerRollout(store, rollout, command)
    if (answer === 'not_now') {
      return err({ reason: 'rollout_state_refused', state: rollout.state })
    }
    if (answer === 'applied') {
      return ok({ rollout: (await store.rollout(rolloutId)) ?? rollout, changed: true })
    }
    if (!mayRepeat) break
  }
  return err({ reason: 'superseded' })
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

/** The rollout is over: the document from before it comes into force again, for all devices at once. */
async function bringBack(
  store: Store,
  rollout: Rollout,
  { by: author, reason, now }: RolloutCommand,
): Promise<Result<CommandedRollout, SteerFailure>> {
  if (isOpen(rollout.state)) throw new TypeError('a rollout that is open is rulesInForce')
  const { kind, from: hash, to: expected } = rollout
  const before = await findUsable(store, kind, hash)
  if (!before.ok) return before
  const body = bodyOf(before.value)
  const answer = await store.activateDocument({ kind, hash, body, author, reason, now, expected })
  if (answer === 'superseded') return err({ reason: 'superseded' })
  return ok({ rollout, changed: answer === 'applied' })
}
