import { COMMAND } from '../../base/command.ts'
import { createRandomSource } from '../../base/random.ts'
import { describeLosses, plural } from '../../base/words.ts'
import { commandReleases } from '../../compose/release.ts'
import type { LintedDocument } from '../../operations/release/check-document.ts'
import { type ReleaseFailure, type ReleaseWay, release } from '../../operations/release/release.ts'
import { NO_SECOND } from '../../operations/release/second-administrator.ts'
import type { Rollout } from '../../rollout/rollout.ts'
import { earliestEnd } from '../../rollout/waits.ts'
import type { Store } from '../../store/store.ts'
import { moment, span } from '../drill/words.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { listenForStop } from '../framework/signals.ts'
import { describeFailure } from './describe-failure.ts'
import { describePreview } from './describe-preview.ts'
import { withPreviewProgress } from './preview.ts'

/** What a command says of a release, whichever document it is of. */
export type Release = {
  readonly document: LintedDocument
  readonly reason: string
  /** How many devices may lose their access; a number that somebody has read in a preview. */
  readonly acceptedDenials: number
  readonly maxAgeMs: number
  readonly way: ReleaseWay
  /** Whether the configuration says that hardware has to be proven. */
  readonly requiresHardware: boolean
  /** Hash of the document that this one was made from, if it has to be the one in force. */
  readonly expected?: string
  /** The halted rollout of it in spite of which it is released. */
  readonly despite?: string | undefined
  readonly json: boolean
  /** Whether a preview that is made now is printed; it is, unless this says no. */
  readonly showsPreview?: boolean | undefined
  readonly clock: () => Date
}

export type Released =
  | { readonly outcome: 'activated' | 'unchanged'; readonly newlyDenied: number }
  | { readonly outcome: 'denials_not_accepted'; readonly newlyDenied: number }
  /** The last rollout of this very document halted, and nobody has named it. */
  | {
      readonly outcome: 'document_halted'
      readonly newlyDenied: 0
      readonly halted: Rollout
    }
  /** `rollout_open`: this very document is on its way already. */
  | {
      readonly outcome: 'rollout_started' | 'rollout_open'
      readonly newlyDenied: number
      readonly rolloutId: string
      readonly rollout: Rollout
    }

/**
 * Releases a document, whatever the size of the fleet that has to be replayed first: the progress of
 * that goes to standard error, and the preview is printed. Whatever else is refused ends the command.
 */
export async function releaseByCommand(store: Store, input: Release): Promise<Released> {
  const { json, requiresHardware, showsPreview = true, clock, ...request } = input
  const random = createRandomSource()
  const { releases } = commandReleases({ store, requiresHardware, clock, random })
  const released = await withPreviewProgress(({ onProgress, end }) =>
    release(releases, {
      ...request,
      by: COMMAND_LINE,
      second: NO_SECOND,
      signal: listenForStop(),
      onProgress,
      onPreview(summary) {
        end()
        if (!showsPreview) return
        if (json) printJson(summary)
        else printText(describePreview(summary))
      },
    }),
  )
  if (!released.ok) return toReleased(released.failure, input.document)
  const { newlyDenied, rollout } = released.value
  if (newlyDenied === null) throw new TypeError('only a way back counts nobody')
  if (rollout === undefined) return { outcome: 'activated', newlyDenied }
  const { rolloutId } = rollout
  return { outcome: 'rollout_started', newlyDenied, rolloutId, rollout }
}

function toReleased(failure: ReleaseFailure, { checked }: LintedDocument): Released {
  switch (failure.reason) {
    case 'denials_not_accepted':
      return { outcome: 'denials_not_accepted', newlyDenied: failure.newlyDenied }
    case 'document_in_force':
      return { outcome: 'unchanged', newlyDenied: 0 }
    case 'document_halted':
      return { outcome: 'document_halted', newlyDenied: 0, halted: failure.rollout }
    case 'rollout_open': {
      const { rollout } = failure
      const { rolloutId, to } = rollout
      const isSame = to === checked?.compiled.hash
      if (isSame) return { outcome: 'rollout_open', newlyDenied: 0, rolloutId, rollout }
      throw new Error(describeFailure(failure))
    }
    default:
      throw new Error(describeFailure(failure))
  }
}

export type RefusedRelease = Extract<
  Released,
  { readonly outcome: 'denials_not_accepted' | 'document_halted' }
>

/** Whether the answer is no, and can be made a yes by an option that says so. */
export function isRefused(released: Released): released is RefusedRelease {
  const { outcome } = released
  return outcome === 'denials_not_accepted' || outcome === 'document_halted'
}

/** Why the answer is no, and which option makes it a yes. */
export function describeRefusal(released: RefusedRelease, previewArguments: string): string {
  if (released.outcome === 'document_halted') {
    const { rolloutId, note } = released.halted
    return `Not in force: the last rollout of this very document, ${rolloutId}, ${note}
See what it found:
  ${COMMAND} rollout show ${rolloutId}
If it is to come into force all the same, say so: --despite ${rolloutId}
`
  }
  const { newlyDenied } = released
  return `Not in force: ${describeLosses(newlyDenied)}. See which, and why:
  ${COMMAND} policy preview ${previewArguments}
If that is what you want, say the number: --accept-denials ${newlyDenied}
`
}

/** What began, how long it will take, and what to do next. */
export function describeRollout({
  outcome,
  rolloutId,
  rollout,
}: Extract<Released, { rolloutId: string }>): string {
  const begun =
    outcome === 'rollout_started'
      ? `Rollout ${rolloutId} has begun: at first the document is tried beside the one in force and
decides nothing, then it comes into force ring by ring. It halts by itself if devices are lost.
${describeDuration(rollout)}`
      : `Rollout ${rolloutId} of this very document is under way already.`
  return `${begun}
  ${COMMAND} rollout show ${rolloutId}
  ${COMMAND} rollout pause|promote|revert ${rolloutId} --reason TEXT
`
}

/** Of a rollout that has just begun. */
function describeDuration(rollout: Rollout): string {
  const { plan, createdAt } = rollout
  const stages = `2 passes of ${plural(plan.stages.length, 'stage')}`
  const end = earliestEnd(rollout, createdAt)
  if (end === undefined) {
    return `Each of its ${stages} waits for a promotion, and has to be healthy for ${span(plan.bakeSeconds * 1000)} first.`
  }
  const hours = plan.hours === null ? '' : ', and begins within its working hours alone'
  return `It takes ${span(end.getTime() - createdAt.getTime())} at least, until ${moment(end.toISOString())}: each of its ${stages} stays healthy for ${span(plan.bakeSeconds * 1000)} first${hours}.`
}
