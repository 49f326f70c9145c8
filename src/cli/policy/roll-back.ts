import { COMMAND } from '../../base/command.ts'
import { createRandomSource } from '../../base/random.ts'
import { describeLosses } from '../../base/words.ts'
import { commandReleases } from '../../compose/release.ts'
import { type RolledBack, rollBack } from '../../operations/release/roll-back.ts'
import { NO_SECOND } from '../../operations/release/second-administrator.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import { nameStage } from '../../rollout/rollout.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { listenForStop } from '../framework/signals.ts'
import { describeFailure } from './describe-failure.ts'
import { describePreview } from './describe-preview.ts'
import { kindOption } from './document-kinds.ts'
import { shorten } from './find-version.ts'
import { withPreviewProgress } from './preview.ts'

/** Goes one version back, or ends the rollout that is open, and says which of them it did. */
export async function rollBackByCommand(
  store: Store,
  options: {
    readonly kind: DocumentKind
    readonly reason: string
    readonly acceptedDenials: number
    readonly maxAgeMs: number
    readonly requiresHardware: boolean
    readonly json: boolean
    readonly clock: () => Date
  },
): Promise<number> {
  const { requiresHardware, json, clock, ...request } = options
  const { kind } = request
  const random = createRandomSource()
  const { releases } = commandReleases({ store, requiresHardware, clock, random })
  const returned = await withPreviewProgress(({ onProgress, end }) =>
    rollBack(releases, {
      ...request,
      by: COMMAND_LINE,
      second: NO_SECOND,
      signal: listenForStop(),
      onProgress,
      onPreview(summary) {
        end()
        if (json) printJson(summary)
        else printText(describePreview(summary))
      },
    }),
  )
  if (returned.ok) {
    if (json) printJson({ kind, outcome: 'rolled_back', ...show(returned.value) })
    else printText(describe(returned.value))
    return EXIT.done
  }
  const { failure } = returned
  if (failure.reason !== 'denials_not_accepted') throw new Error(describeFailure(failure))
  const { newlyDenied } = failure
  if (json) printJson({ kind, outcome: failure.reason, newly_denied: newlyDenied })
  else printText(describeRefusal(newlyDenied, (await store.activeDocument(kind))?.previous, kind))
  return EXIT.refused
}

function show({ hash, rollout, newlyDenied }: RolledBack): object {
  return { hash, rollout_id: rollout?.rolloutId ?? null, newly_denied: newlyDenied }
}

function describe({ hash, rollout }: RolledBack): string {
  const decides = `${shorten(hash)} decides for every device from the next request on.\n`
  if (rollout === undefined) return `The version before is in force again: ${decides}`
  const { rolloutId, state } = rollout
  return `${rolloutId} is ${state} in ${nameStage(rollout)}: ${decides}`
}

function describeRefusal(
  newlyDenied: number,
  previous: string | null | undefined,
  kind: DocumentKind,
): string {
  const version = `${shorten(previous ?? 'VERSION')}${kindOption(kind)}`
  return `Nothing was changed: ${describeLosses(newlyDenied)}. See which, and why:
  ${COMMAND} policy preview ${version}
If that is what you want, say the number: --accept-denials ${newlyDenied}
`
}
