import { COMMAND } from '../../base/command.ts'
import { createRandomSource } from '../../base/random.ts'
import type { Result } from '../../base/result.ts'
import {
  findPreview,
  type HashesInForce,
  hashOf,
  isLargeFleet,
  neededSample,
} from '../../operations/release/gates.ts'
import {
  findOpenRollout,
  type PlanRequest,
  type ReleaseFailure,
  releaseAtOnce,
  startRelease,
} from '../../operations/release/release.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Store } from '../../store/store.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { listenForStop } from '../framework/signals.ts'
import type { CheckedDocument } from './document-kinds.ts'
import { readHashesInForce } from './in-force.ts'
import { runPreview } from './preview.ts'

const SUPERSEDED =
  'somebody else brought another document into force meanwhile, so that the preview counts no more: try again'

/** `by_size`: at once in a small fleet, ring by ring in a large one. */
export type ReleaseWay =
  | { readonly kind: 'by_size' | 'at_once' }
  | { readonly kind: 'rollout'; readonly plan: PlanRequest }

export type Release = {
  readonly kind: DocumentKind
  readonly checked: CheckedDocument
  readonly reason: string
  /** How many devices may lose their access; a number that somebody has read in a preview. */
  readonly acceptedDenials: number
  readonly maxAgeMs: number
  readonly way: ReleaseWay
  /** Whether the configuration says that hardware has to be proven. */
  readonly requiresHardware: boolean
  /** Hash of the document that this one was made from, if it has to be the one in force. */
  readonly expected?: string
  readonly json: boolean
  readonly clock: () => Date
}

export type Released =
  | {
      readonly outcome: 'activated' | 'unchanged' | 'denials_not_accepted'
      readonly newlyDenied: number
    }
  /** `rollout_open`: this very document is on its way already. */
  | {
      readonly outcome: 'rollout_started' | 'rollout_open'
      readonly newlyDenied: number
      readonly rolloutId: string
    }

/**
 * Gate two and what is behind it, for a document that lint has passed: it comes into force, or its
 * rollout begins, if a preview is on record, or is made now, and nobody loses access but as many as
 * were accepted.
 */
export async function release(store: Store, input: Release): Promise<Released> {
  const { kind, checked } = input
  const inForce = await readHashesInForce(store)
  if (hashOf(kind, inForce) === checked.hash) return { outcome: 'unchanged', newlyDenied: 0 }
  const plan = await choosePlan(store, input.way)
  if (plan !== undefined) {
    const open = await findOpenRollout(store, kind)
    if (open?.to === checked.hash) {
      return { outcome: 'rollout_open', newlyDenied: 0, rolloutId: open.rolloutId }
    }
    if (open !== undefined) throw new Error(describeOpen(open.rolloutId))
  }
  const maxAgeMs = await ensurePreview(store, { ...input, inForce })
  const gated = { ...input, author: COMMAND_LINE, maxAgeMs, now: input.clock() }
  if (plan === undefined) return toReleased(await releaseAtOnce(store, gated))
  const random = createRandomSource()
  return toReleased(await startRelease(store, { ...gated, plan, random }))
}

async function choosePlan(store: Store, way: ReleaseWay): Promise<PlanRequest | undefined> {
  if (way.kind === 'rollout') return way.plan
  return way.kind === 'by_size' && (await isLargeFleet(store)) ? {} : undefined
}

/** How old the preview may be that counts: what was made just now always does. */
async function ensurePreview(
  store: Store,
  input: Release & { readonly inForce: HashesInForce },
): Promise<number> {
  const { kind, checked, inForce, maxAgeMs, requiresHardware, json, clock } = input
  const now = clock()
  const recorded = await findPreview(store, { kind, hash: checked.hash, inForce, maxAgeMs, now })
  if (recorded !== undefined && recorded.compared >= (await neededSample(store, now))) {
    return maxAgeMs
  }
  const body = checked.document
  const signal = listenForStop()
  await runPreview({ store, kind, body, by: COMMAND_LINE, requiresHardware, json, signal })
  return Infinity
}

function toReleased(
  released: Result<
    { readonly newlyDenied: number; readonly rollout?: { readonly rolloutId: string } },
    ReleaseFailure
  >,
): Released {
  if (released.ok) {
    const { newlyDenied, rollout } = released.value
    return rollout === undefined
      ? { outcome: 'activated', newlyDenied }
      : { outcome: 'rollout_started', newlyDenied, rolloutId: rollout.rolloutId }
  }
  const { failure } = released
  switch (failure.reason) {
    case 'denials_not_accepted':
      return { outcome: 'denials_not_accepted', newlyDenied: failure.newlyDenied }
    case 'document_in_force':
      return { outcome: 'unchanged', newlyDenied: 0 }
    case 'rollout_open':
      throw new Error(describeOpen(failure.rollout.rolloutId))
    case 'preview_too_small':
      throw new Error(
        `the preview compared ${failure.compared} devices, and ${failure.needed} are needed: preview it again`,
      )
    case 'preview_missing':
    case 'superseded':
      throw new Error(SUPERSEDED)
  }
}

function describeOpen(rolloutId: string): string {
  return `another document of this kind is being rolled out: ${COMMAND} rollout show ${rolloutId}; wait until it is done, or end it with ${COMMAND} rollout revert ${rolloutId} --reason TEXT`
}

/** What to do about a refusal for the sake of the devices that would be denied. */
export function describeRefusal(newlyDenied: number, previewArguments: string): string {
  const devices =
    newlyDenied === 1
      ? '1 device would be denied that is allowed now'
      : `${newlyDenied} devices would be denied that are allowed now`
  return `Not in force: ${devices}. See which, and why:
  ${COMMAND} policy preview ${previewArguments}
If that is what you want, say the number: --accept-denials ${newlyDenied}
`
}

/** What began, and what to do next. */
export function describeRollout({
  outcome,
  rolloutId,
}: Extract<Released, { rolloutId: string }>): string {
  const begun =
    outcome === 'rollout_started'
      ? `Rollout ${rolloutId} has begun: at first the document is tried beside the one in force and
decides nothing, then it comes into force ring by ring. It halts by itself if devices are lost.`
      : `Rollout ${rolloutId} of this very document is under way already.`
  return `${begun}
  ${COMMAND} rollout show ${rolloutId}
  ${COMMAND} rollout pause|promote|revert ${rolloutId} --reason TEXT
`
}
