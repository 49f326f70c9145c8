import { COMMAND } from '../../base/command.ts'
import { createRandomSource } from '../../base/random.ts'
import { commandReleases } from '../../compose/release.ts'
import type { LintedDocument } from '../../operations/release/check-document.ts'
import { type ReleaseFailure, type ReleaseWay, release } from '../../operations/release/release.ts'
import { NO_SECOND } from '../../operations/release/second-administrator.ts'
import type { Store } from '../../store/store.ts'
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
  readonly json: boolean
  /** Whether a preview that is made now is printed; it is, unless this says no. */
  readonly showsPreview?: boolean | undefined
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
  if (rollout === undefined) return { outcome: 'activated', newlyDenied }
  return { outcome: 'rollout_started', newlyDenied, rolloutId: rollout.rolloutId }
}

function toReleased(failure: ReleaseFailure, { checked }: LintedDocument): Released {
  switch (failure.reason) {
    case 'denials_not_accepted':
      return { outcome: 'denials_not_accepted', newlyDenied: failure.newlyDenied }
    case 'document_in_force':
      return { outcome: 'unchanged', newlyDenied: 0 }
    case 'rollout_open': {
      const { rolloutId, to } = failure.rollout
      const isSame = to === checked?.compiled.hash
      if (isSame) return { outcome: 'rollout_open', newlyDenied: 0, rolloutId }
      throw new Error(describeFailure(failure))
    }
    default:
      throw new Error(describeFailure(failure))
  }
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
