import type { DocumentHash } from '../../base/document-hash.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import { isOpen, type Rollout } from '../../rollout/rollout.ts'
import { findLinted } from './check-document.ts'
import type { EndRequest } from './end-rollout.ts'
import { release } from './release.ts'
import { type SteerDependencies, type SteerFailure, steerRollout } from './steer.ts'

export const ROLL_BACK_REASONS = ['no_version_before', 'already_back'] as const

export type RollBackFailure =
  /** Nothing was in force before, or somebody has returned to it already. */
  | { readonly reason: 'no_version_before' }
  /** This rollout decided for devices and halted or was ended: what it began from decides for them again. */
  | { readonly reason: 'already_back'; readonly rollout: Rollout }
  | SteerFailure

export type RollBackRequest = EndRequest & {
  readonly kind: DocumentKind
  /**
   * Only if this document is in force: who asks twice must not go two versions back. Whoever names what a
   * rollout fell back to means to go back from that.
   */
  readonly expected?: string | undefined
}

export type RolledBack = {
  /** What is in force for every device from the next request on. */
  readonly hash: DocumentHash
  /** The rollout that was ended for it; absent where the version before came into force again. */
  readonly rollout: Rollout | undefined
  /** Devices that lose their access by it; `null` where nobody was counted. */
  readonly newlyDenied: number | null
}

/**
 * The way back. While a document is on its way to the fleet, that is the end of its rollout. Else it is
 * the version from before, for all devices at once: through every gate of a release, but with one
 * administrator, as long as its own preview finds nobody who would lose access. A fleet that is too large
 * to be replayed now is refused at once, with what to preview (`back`): who cannot wait for it accepts
 * `ANY_DENIALS`. There is one way back: from the version before there is none further, and none from what a
 * rollout that halted fell back to, unless that is named. A rollout of either kind that decides for nobody yet
 * is no hindrance: it ends.
 */
export async function rollBack(
  dependencies: SteerDependencies,
  request: RollBackRequest,
): Promise<Result<RolledBack, RollBackFailure>> {
  const { store, clock } = dependencies
  const { kind, expected, ...asked } = request
  const active = await store.activeDocument(kind)
  if (active === null) throw new Error(`no ${kind} is active`)
  if ((expected ?? active.hash) !== active.hash) return err({ reason: 'superseded' })
  const { rollouts } = await store.control()
  const open = rollouts.find((one) => one.kind === kind && isOpen(one.state))
  if (open !== undefined) {
    const command = { ...asked, rolloutId: open.rolloutId, verb: 'revert' } as const
    const steered = await steerRollout(dependencies, command)
    if (!steered.ok) return steered
    const { rollout, newlyDenied } = steered.value
    return ok({ hash: open.from, rollout, newlyDenied })
  }
  const recent = expected === undefined ? await store.listRollouts(RECENT) : []
  const fallenBack = recent.find((one) => {
    return one.from === active.hash && hasFallenBack(one) && one.updatedAt > active.activatedAt
  })
  if (fallenBack !== undefined) return err({ reason: 'already_back', rollout: fallenBack })
  if (active.previous === null) return err({ reason: 'no_version_before' })
  const document = await findLinted(store, { kind, hash: active.previous, now: clock() })
  if (!document.ok) return document
  const way = { kind: 'at_once' } as const
  const released = await release(dependencies, {
    ...{ ...asked, document: document.value, way, expected: active.hash },
  })
  if (!released.ok) return released
  const hash = document.value.checked?.compiled.hash
  if (hash === undefined) throw new TypeError('a document that was released compiles')
  return ok({ hash, rollout: undefined, newlyDenied: released.value.newlyDenied })
}

/** Among so many rollouts, the last ones, those are looked for that fell back to what is in force. */
const RECENT = 20

/** What ended in its audit pass decided for nobody: nothing came back by it. */
function hasFallenBack({ state, pass }: Rollout): boolean {
  return pass === 'enforce' && (state === 'halted' || state === 'reverted')
}
