import { err, ok, type Result } from '../../base/result.ts'
import { isEnforcing, type Rollout } from '../../rollout/rollout.ts'
import type { Store } from '../../store/store.ts'
import { demandCompiled, findLinted, type StoredDocumentFailure } from './check-document.ts'
import { demandPreview, type LossesAsked } from './demand-preview.ts'
import { stepByHand } from './drive-rollout.ts'
import { ANY_DENIALS, pointersOf, readInForce } from './gates.ts'
import type { ReleaseDependencies, ReleaseFailure } from './release.ts'
import type { SecondAdministrator } from './second-administrator.ts'

export type EndDependencies = Omit<ReleaseDependencies, 'store'> & {
  readonly store: ReleaseDependencies['store'] &
    Pick<Store, 'document' | 'stepRollout' | 'recordRolloutHealth'>
}

export type EndRequest = LossesAsked & {
  readonly reason: string
  /** What denies devices takes two, where two are required. */
  readonly second: SecondAdministrator
}

/** `elsewhere`: another step was taken meanwhile. `newlyDenied`: `null` where nobody was counted. */
export type Ended = { readonly newlyDenied: number | null } | 'elsewhere'

/**
 * Ends an open rollout. Where its document decides for nobody yet, that takes access from nobody and
 * needs nothing. Else it takes it from the devices that the new document alone allows: the rollout is paused, so that
 * it goes no further however long the rest takes, and ends when the losses are accepted.
 */
export async function endRollout(
  dependencies: EndDependencies,
  rollout: Rollout,
  request: EndRequest,
): Promise<Result<Ended, ReleaseFailure | StoredDocumentFailure>> {
  const { store, clock } = dependencies
  const { by, reason } = request
  const step = (from: Rollout, verb: 'pause' | 'revert') =>
    stepByHand(store, from, { verb, by, reason, now: clock() })
  if (!isEnforcing(rollout)) {
    return ok((await step(rollout, 'revert')) === 'applied' ? { newlyDenied: 0 } : 'elsewhere')
  }
  if (rollout.state === 'running' && (await step(rollout, 'pause')) !== 'applied') {
    return ok('elsewhere')
  }
  const paused = await store.rollout(rollout.rolloutId)
  if (paused?.state !== 'paused') return ok('elsewhere')
  const losses = await countEnd(dependencies, paused, request)
  if (!losses.ok) return losses
  return ok((await step(paused, 'revert')) === 'applied' ? losses.value : 'elsewhere')
}

async function countEnd(
  dependencies: EndDependencies,
  paused: Rollout,
  request: EndRequest,
): Promise<
  Result<{ readonly newlyDenied: number | null }, ReleaseFailure | StoredDocumentFailure>
> {
  const { store, clock } = dependencies
  const { kind, from, to, rolloutId, revision } = paused
  const { acceptedDenials, second } = request
  const back = { kind, hash: from, paused: rolloutId }
  // What two agree on is the end of this stage.
  const awaitSecond = async () => (acceptedDenials > 0 ? second.ask(revision) : undefined)
  if (acceptedDenials === ANY_DENIALS) {
    const awaited = await awaitSecond()
    return awaited === undefined ? ok({ newlyDenied: null }) : err({ ...awaited, back })
  }
  const linted = await findLinted(store, { kind, hash: from, now: clock() })
  if (!linted.ok) return linted
  const document = demandCompiled(linted.value)
  if (!document.ok) return document
  const { beside } = pointersOf(kind, await readInForce(store))
  const inForce =
    kind === 'policy'
      ? { policyHash: to, referenceValuesHash: beside }
      : { policyHash: beside, referenceValuesHash: to }
  const change = {
    ...{ document: document.value, inForce, ending: paused, isWayBack: true },
    awaitSecond,
  }
  const preview = await demandPreview(dependencies, change, request)
  if (preview.ok) return ok({ newlyDenied: preview.value?.newlyDenied ?? null })
  return err({ ...preview.failure, back })
}
