import { COMMAND } from '../../base/command.ts'
import { createRandomSource } from '../../base/random.ts'
import { describeLosses, plural } from '../../base/words.ts'
import { commandReleases } from '../../compose/release.ts'
import type { LossesAsked } from '../../operations/release/demand-preview.ts'
import type { WayBack } from '../../operations/release/gates.ts'
import {
  type RollBackFailure,
  type RolledBack,
  rollBack,
} from '../../operations/release/roll-back.ts'
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
    /** Only if this document is in force. */
    readonly expected?: string | undefined
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
  const returned = await withShownPreview(json, (told) =>
    rollBack(releases, { ...request, ...told, by: COMMAND_LINE, second: NO_SECOND }),
  )
  if (returned.ok) {
    if (json) printJson({ kind, outcome: 'rolled_back', ...show(returned.value) })
    else printText(describe(returned.value))
    return EXIT.done
  }
  return refuseWayBack(returned.failure, kind, json)
}

/** Prints the preview that counts whom a way back denies, if one is made, after how far it is. */
export function withShownPreview<T>(
  json: boolean,
  run: (told: Pick<LossesAsked, 'onPreview' | 'onProgress' | 'signal'>) => Promise<T>,
): Promise<T> {
  return withPreviewProgress(({ onProgress, end }) =>
    run({
      signal: listenForStop(),
      onProgress,
      onPreview(summary) {
        end()
        if (json) printJson(summary)
        else printText(describePreview(summary))
      },
    }),
  )
}

/** Says how many devices a way back would deny, which is an answer; any other failure ends the command. */
export function refuseWayBack(failure: RollBackFailure, kind: DocumentKind, json: boolean): number {
  if (failure.reason !== 'denials_not_accepted') throw new Error(describeFailure(failure))
  const { newlyDenied, back } = failure
  const paused = back?.paused
  const told = { newly_denied: newlyDenied, ...(paused !== undefined && { paused }) }
  if (json) printJson({ kind, outcome: failure.reason, ...told })
  else printText(describeRefusal(newlyDenied, back, kind))
  return EXIT.refused
}

function show({ hash, rollout, newlyDenied }: RolledBack): object {
  return { hash, rollout_id: rollout?.rolloutId ?? null, newly_denied: newlyDenied }
}

function describe({ hash, rollout, newlyDenied }: RolledBack): string {
  const lost = newlyDenied ? ` ${describeLost(newlyDenied)}` : ''
  const decides = `${shorten(hash)} decides for every device from the next request on.${lost}\n`
  if (rollout === undefined) return `The version before is in force again: ${decides}`
  const { rolloutId, state } = rollout
  return `${rolloutId} is ${state} in ${nameStage(rollout)}: ${decides}`
}

function describeLost(newlyDenied: number): string {
  return `${plural(newlyDenied, 'device')} ${newlyDenied === 1 ? 'loses its' : 'lose their'} access by it.`
}

function describeRefusal(
  newlyDenied: number,
  back: WayBack | undefined,
  kind: DocumentKind,
): string {
  const version = `${shorten(back?.hash ?? 'VERSION')}${kindOption(kind)}`
  const nothing =
    back?.paused === undefined
      ? 'Nothing was changed'
      : `${back.paused} is paused and goes no further, and did not end`
  return `${nothing}: ${describeLosses(newlyDenied)}. See which, and why:
  ${COMMAND} policy preview ${version}
If that is what you want, say the number: --accept-denials ${newlyDenied}
`
}
