import type { DocumentHash } from '../../base/document-hash.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { readLaterLosses, readLosses } from '../../replay/preview/summary.ts'
import type { LaterLoss } from '../../rollout/budget.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Store } from '../../store/store.ts'

/** With so many attested devices a fleet is large: a document reaches it ring by ring. */
export const LARGE_FLEET = 100
/** A preview that compared fewer says little, unless there are no more. */
const MIN_COMPARED = 100
/** Clocks of two machines may differ so much that a preview seems to be of the future. */
const CLOCK_SKEW_MS = 60_000

/** What is asked of the preview of a document before the document comes into force. */
export const PREVIEW_REASONS = [
  'preview_missing',
  'preview_busy',
  'preview_too_small',
  'too_many_dates',
  'denials_not_accepted',
] as const

/**
 * Accepted by whoever goes back in an emergency: however many devices lose their access by it, and without
 * counting them first. What comes into force for the first time takes a preview whatever is accepted.
 */
export const ANY_DENIALS = Number.POSITIVE_INFINITY

export type PreviewFailure = LossesFailure & {
  /** Of what goes back, and is kept here: what would have to be previewed. */
  readonly back?: WayBack | undefined
}

export type WayBack = {
  readonly kind: DocumentKind
  readonly hash: DocumentHash
  /** The rollout that was to end; it goes no further meanwhile. */
  readonly paused: string | undefined
}

type LossesFailure =
  | { readonly reason: 'preview_missing' }
  /** Another one is under way. */
  | { readonly reason: 'preview_busy' }
  | {
      readonly reason: 'preview_too_small'
      readonly compared: number
      readonly needed: number
    }
  /** The document names more dates to come than a preview looks at, so many more: what it does then is unseen. */
  | { readonly reason: 'too_many_dates'; readonly leftOut: number }
  | {
      readonly reason: 'denials_not_accepted'
      readonly newlyDenied: number
      readonly accepted: number
    }

/** What a preview is made against: both documents in force. */
export type HashesInForce = {
  readonly policyHash: DocumentHash
  readonly referenceValuesHash: DocumentHash
}

/** What has to be known of a preview before a document comes into force. */
export type PreviewOnRecord = {
  readonly at: Date
  /** Devices that would lose the access that they have, at once or with their next attestation. */
  readonly newlyDenied: number
  /** Those of them that would lose it later, by when. */
  readonly later: readonly LaterLoss[]
  readonly compared: number
  /** A date may be a step at which it was looked, and what it tells have begun before. */
  readonly isCoarse: boolean
  /** Dates to come that the document names and that were not looked at, and devices that were not till the end. */
  readonly leftOut: number
}

export type PreviewQuery = {
  readonly kind: DocumentKind
  readonly hash: DocumentHash
  readonly inForce: HashesInForce
  /** Of the end of this rollout in this stage, and of nothing else. */
  readonly ending?: { readonly rolloutId: string; readonly stage: number } | undefined
  /** How old a preview may be. */
  readonly maxAgeMs: number
  readonly now: Date
}

type GateStore = Pick<Store, 'preview' | 'attestedDevices'>

/**
 * Gate two: a preview is on record of exactly this document against exactly what is in force, it is
 * young, it compared enough devices, and nobody loses access but as many as were accepted.
 */
export async function passPreview(
  store: GateStore,
  query: PreviewQuery & {
    /** How many devices may lose their access; a number that somebody has read in a preview. */
    readonly acceptedDenials: number
    /** What decided before named its moments then, and whoever goes back from a bad document cannot wait. */
    readonly isWayBack: boolean
  },
): Promise<Result<PreviewOnRecord, PreviewFailure>> {
  const preview = await findPreview(store, query)
  if (preview === undefined) return err({ reason: 'preview_missing' })
  const { newlyDenied, compared } = preview
  // The end of a rollout concerns its stage, however few that are.
  const needed = query.ending === undefined ? await neededSample(store, query.now) : 0
  if (compared < needed) return err({ reason: 'preview_too_small', compared, needed })
  if (!query.isWayBack && preview.leftOut > 0) {
    return err({ reason: 'too_many_dates', leftOut: preview.leftOut })
  }
  const { acceptedDenials: accepted } = query
  if (newlyDenied > accepted) return err({ reason: 'denials_not_accepted', newlyDenied, accepted })
  return ok(preview)
}

/**
 * The preview on record of exactly this document against exactly what is in force, if there is one
 * that is young enough.
 */
export async function findPreview(
  store: Pick<Store, 'preview'>,
  { kind, hash, inForce, ending, maxAgeMs, now }: PreviewQuery,
): Promise<PreviewOnRecord | undefined> {
  const preview = await store.preview(kind, hash)
  if (preview === null) return undefined
  const isOfThis =
    preview.hash === hash &&
    preview.policyHash === inForce.policyHash &&
    preview.referenceValuesHash === inForce.referenceValuesHash &&
    isOfEnd(preview.summary, ending)
  const ageMs = now.getTime() - preview.at.getTime()
  if (!isOfThis || ageMs > maxAgeMs || ageMs < -CLOCK_SKEW_MS) return undefined
  // What another version has recorded, in words that this one does not know, counts for nothing.
  const newlyDenied = readLosses(preview.summary)
  if (newlyDenied === undefined) return undefined
  const { compared, moments } = Object(preview.summary)
  const { left_out_of_candidate, devices_cut, hourly, year_ahead } = Object(moments)
  const leftOut = left_out_of_candidate + devices_cut
  if (!Number.isSafeInteger(leftOut)) return undefined
  return {
    ...{ at: preview.at, newlyDenied, later: readLaterLosses(preview.summary) },
    compared: Number.isSafeInteger(compared) ? compared : 0,
    isCoarse: hourly === true || year_ahead === true,
    leftOut,
  }
}

function isOfEnd(summary: unknown, ending: PreviewQuery['ending']): boolean {
  const { rollout_id, stage } = Object(Object(summary).ends_rollout)
  return rollout_id === ending?.rolloutId && stage === ending?.stage
}

/**
 * Half of the devices that a preview could compare now, as some attest between a preview and its
 * use. A new preview always compares enough: a fleet whose evidence has all ended can be repaired.
 */
async function neededSample(store: Pick<Store, 'attestedDevices'>, now: Date): Promise<number> {
  const comparable = await store.attestedDevices({ most: 2 * MIN_COMPARED, validAt: now })
  return Math.floor(comparable / 2)
}

export async function isLargeFleet(store: Pick<Store, 'attestedDevices'>): Promise<boolean> {
  return (await store.attestedDevices({ most: LARGE_FLEET })) >= LARGE_FLEET
}

/** The hashes of both documents in force. Throws before the first start of a service. */
export async function readInForce(store: Pick<Store, 'inForce'>): Promise<HashesInForce> {
  const { policyHash, referenceValuesHash } = await store.inForce()
  if (policyHash === null || referenceValuesHash === null) {
    throw new Error('no policy or no reference values are active')
  }
  return { policyHash, referenceValuesHash }
}

/** The document of a kind that is in force, and the one of the other kind beside it. */
export function pointersOf(
  kind: DocumentKind,
  { policyHash, referenceValuesHash }: HashesInForce,
): { readonly own: DocumentHash; readonly beside: DocumentHash } {
  return kind === 'policy'
    ? { own: policyHash, beside: referenceValuesHash }
    : { own: referenceValuesHash, beside: policyHash }
}
