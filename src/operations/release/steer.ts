import { err, ok, type Result } from '../../base/result.ts'
import type { Rollout } from '../../rollout/rollout.ts'
import type { Store } from '../../store/store.ts'
import { bodyOf, findLinted, type StoredDocumentFailure, withoutErrors } from './check-document.ts'
import { type RolloutVerb, stepByHand } from './drive-rollout.ts'
import { pointersOf, readInForce } from './gates.ts'
import { type ReleaseDependencies, type ReleaseFailure, release } from './release.ts'
import type { SecondAdministrator } from './second-administrator.ts'

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

export type SteerDependencies = Omit<ReleaseDependencies, 'store'> & {
  readonly store: ReleaseDependencies['store'] &
    Pick<Store, 'document' | 'listRollouts' | 'stepRollout' | 'recordRolloutHealth'>
}

export type RolloutCommand = {
  readonly rolloutId: string
  readonly verb: RolloutVerb
  /** Of the rollout as somebody saw it: a promotion that was asked for twice goes one stage. */
  readonly revision?: number | undefined
  readonly by: string
  readonly reason: string
  /**
   * A promotion needs one: a document goes further than its plan alone would let it. So does a return
   * to anything but the document from before.
   */
  readonly second: SecondAdministrator
}

export type CommandedRollout = { readonly rollout: Rollout; readonly changed: boolean }

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
  const { store, clock } = dependencies
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
    if (revision !== undefined && revision !== rollout.revision) break
    if (isSteered(rollout, verb)) return ok({ rollout, changed: false })
    if (verb === 'revert' && rollout.state === 'done')
      return bringBack(dependencies, rollout, command)
    const answer = await stepByHand(store, rollout, { ...command, now: clock() })
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

/**
 * The rollout is over: the document from before it comes into force again, for all devices at once.
 * That needs neither a new preview nor a second administrator where it brings back exactly the two
 * documents that decided until this one came: the preview that the rollout began with is of this very
 * change, read backwards. That is so once: what is in force names only the document from before it,
 * and none after a return. Any other return is a release through every gate.
 */
async function bringBack(
  dependencies: SteerDependencies,
  rollout: Rollout,
  { by, reason, second }: RolloutCommand,
): Promise<Result<CommandedRollout, SteerFailure>> {
  const { store, clock, rules } = dependencies
  const { kind, from, to, beside } = rollout
  const linted = await findLinted(store, { kind, hash: from, now: clock() })
  if (!linted.ok) return linted
  const inForce = pointersOf(kind, await readInForce(store))
  if (inForce.own === from) return ok({ rollout, changed: false })
  if (inForce.own !== to) return err({ reason: 'superseded' })
  const active = await store.activeDocument(kind)
  const isFromBefore = active?.hash === to && active.previous === from
  if (!isFromBefore || inForce.beside !== beside) {
    const released = await release(dependencies, {
      ...{ document: linted.value, way: { kind: 'at_once' }, by, reason, expected: to },
      ...{ acceptedDenials: 0, maxAgeMs: REVERT_PREVIEW_MAX_AGE_MS, second },
    })
    return released.ok ? ok({ rollout, changed: true }) : released
  }
  const passed = withoutErrors(linted.value)
  if (!passed.ok) return passed
  const checked = passed.value
  const answer = await store.activateDocument({
    ...{ kind, hash: from, body: bodyOf(checked), author: by, reason, now: clock() },
    ...{ expected: to, beside },
  })
  if (answer === 'superseded') return err({ reason: 'superseded' })
  rules.keep(checked)
  return ok({ rollout, changed: answer === 'applied' })
}

const REVERT_PREVIEW_MAX_AGE_MS = 3_600_000
