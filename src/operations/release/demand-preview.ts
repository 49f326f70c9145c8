import { err, ok, type Result } from '../../base/result.ts'
import type { PreviewSummary } from '../../replay/preview/summary.ts'
import type { Store } from '../../store/store.ts'
import type { CheckedDocument } from './check-document.ts'
import {
  ANY_DENIALS,
  type HashesInForce,
  type PreviewFailure,
  type PreviewOnRecord,
  passPreview,
} from './gates.ts'
import type { PreviewProgress, previewDocument } from './preview.ts'
import type { SecondAwaited } from './second-administrator.ts'

export type DemandDependencies = {
  readonly store: Pick<Store, 'preview' | 'attestedDevices' | 'countDevices'>
  /** `undefined`: another one is under way, and only one may be. */
  readonly preview: (
    input: Parameters<typeof previewDocument>[1],
  ) => Promise<PreviewSummary | undefined>
  /** The largest fleet that is replayed now if no preview counts; a larger one needs one before. */
  readonly replaysAtMost: number
  /** How often a preview of it evaluates a clause for each device. */
  readonly countEvaluations: (document: CheckedDocument) => Promise<number>
  readonly clock: () => Date
}

/**
 * Devices, times moments, times clauses that read the clock, within a request. Measured on two cores of which ten others
 * wanted their share, of devices of which no two claim the same: 100,000 a second where clauses go by hours of other
 * time zones or by the month, and 280,000 where they name ten dates each; on a machine at rest some times as many. The
 * largest plan has about 3,200 moments and, with 54 such clauses, takes 0.6 s of a processor a device there: of it
 * two devices are replayed, and larger fleets need a preview before.
 */
const EVALUATIONS_IN_REQUEST = 500_000

/** What somebody who changes what decides says of losses, and is told of them. */
export type LossesAsked = {
  readonly by: string
  /** How many devices may lose their access; a number that somebody has read in a preview. */
  readonly acceptedDenials: number
  /** How old a preview may be that was made before. */
  readonly maxAgeMs: number
  /** Told of the preview, if one is made now. */
  readonly onPreview?: ((summary: PreviewSummary) => void) | undefined
  readonly onProgress?: ((progress: PreviewProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export type ChangeToPreview = {
  readonly document: CheckedDocument
  /** What is compared with it. */
  readonly inForce: HashesInForce
  /** The rollout that the change ends, where that is all of it. */
  readonly ending?: { readonly rolloutId: string; readonly stage: number } | undefined
  /** Devices go back to what decided for them before. */
  readonly isWayBack: boolean
  /** Whether another administrator is waited for; asked once, as an agreement is used up by it. */
  readonly awaitSecond: () => Promise<SecondAwaited | undefined>
}

/**
 * The one gate before a document decides for devices for which another one does: the preview that counts, one
 * on record or one that is made now, finds no more losses than are accepted. `undefined` where whoever goes
 * back has accepted any, so that nobody is counted first. A second administrator is asked for after what is
 * refused without one: a preview that is not there uses up nobody's agreement.
 */
export async function demandPreview(
  { store, preview, replaysAtMost, countEvaluations, clock }: DemandDependencies,
  change: ChangeToPreview,
  asked: LossesAsked,
): Promise<
  Result<
    PreviewOnRecord | undefined,
    PreviewFailure | SecondAwaited | { readonly reason: 'superseded' }
  >
> {
  const { document, inForce, ending, isWayBack, awaitSecond } = change
  const { acceptedDenials, maxAgeMs, by, onPreview, onProgress, signal } = asked
  if (isWayBack && acceptedDenials === ANY_DENIALS) {
    const awaited = await awaitSecond()
    return awaited === undefined ? ok(undefined) : err(awaited)
  }
  const { kind, compiled } = document
  const now = clock()
  const query = {
    ...{ kind, hash: compiled.hash, inForce, ending, isWayBack },
    ...{ acceptedDenials, maxAgeMs, now },
  }
  const passed = await passPreview(store, query)
  if (!passed.ok) {
    if (isAboutDocument(passed.failure)) return passed
    if (replaysAtMost !== Number.POSITIVE_INFINITY) {
      const devices = Math.floor(EVALUATIONS_IN_REQUEST / (await countEvaluations(document)))
      const most = Math.min(replaysAtMost, devices)
      if ((await store.countDevices(most + 1)) > most) return passed
    }
  }
  const awaited = await awaitSecond()
  if (awaited !== undefined) return err(awaited)
  if (passed.ok) return passed
  const summary = await preview({ document, by, onProgress, signal })
  if (summary === undefined) return err({ reason: 'preview_busy' })
  onPreview?.(summary)
  const later = clock()
  // What was made just now is young enough, however long it took.
  const made = { ...query, maxAgeMs: later.getTime() - now.getTime(), now: later }
  const again = await passPreview(store, made)
  const isOfOthers = !again.ok && again.failure.reason === 'preview_missing'
  return isOfOthers ? err({ reason: 'superseded' }) : again
}

/** Another preview would find the same. */
function isAboutDocument({ reason }: PreviewFailure): boolean {
  return reason === 'denials_not_accepted' || reason === 'too_many_dates'
}
