import { createRandomSource } from '../../base/random.ts'
import { commandReleases } from '../../compose/release.ts'
import type { RolloutVerb } from '../../operations/release/drive-rollout.ts'
import { NO_SECOND } from '../../operations/release/second-administrator.ts'
import { type CommandedRollout, steerRollout } from '../../operations/release/steer.ts'
import { nameStage } from '../../rollout/rollout.ts'
import type { Store } from '../../store/store.ts'
import { showRollout } from '../../views/show-control.ts'
import { EXIT } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { describeFailure } from '../policy/describe-failure.ts'
import { shorten } from '../policy/find-version.ts'
import { refuseWayBack, withShownPreview } from '../policy/roll-back.ts'

/** Does one thing to a rollout. Asking again for what is done already changes nothing. */
export async function steerByCommand(
  store: Store,
  options: {
    readonly rolloutId: string
    readonly verb: RolloutVerb
    readonly reason: string
    /** Of a return: devices that may lose their access by it. */
    readonly acceptedDenials: number
    readonly maxAgeMs: number
    readonly requiresHardware: boolean
    readonly json: boolean
  },
): Promise<number> {
  const { requiresHardware, json, ...asked } = options
  const { rolloutId, verb } = asked
  const clock = () => new Date()
  const random = createRandomSource()
  const { releases } = commandReleases({ store, requiresHardware, clock, random })
  const steered = await withShownPreview(json, (told) =>
    steerRollout(releases, { ...asked, ...told, by: COMMAND_LINE, second: NO_SECOND }),
  )
  if (!steered.ok) {
    const { failure } = steered
    const kind = (await store.rollout(rolloutId))?.kind
    if (failure.reason === 'denials_not_accepted' && kind !== undefined) {
      return refuseWayBack(failure, kind, json)
    }
    throw new Error(`${rolloutId}: ${describeFailure(failure)}`)
  }
  const { rollout, changed } = steered.value
  if (json) printJson({ ...showRollout(rollout, clock()), changed })
  else printText(describe(steered.value, verb))
  return EXIT.done
}

function describe({ rollout, changed }: CommandedRollout, verb: string): string {
  const { rolloutId, state, from, to } = rollout
  const unchanged = changed ? '' : ' already: nothing was changed'
  if (state === 'done') {
    const inForce = verb === 'revert' ? from : to
    return `${shorten(inForce)} is in force for every device${unchanged}.\n`
  }
  if (state === 'running' || state === 'paused') {
    return `${rolloutId} is ${state}${unchanged}: ${nameStage(rollout)}.\n`
  }
  return `${rolloutId} is ${state} in ${nameStage(rollout)}${unchanged}: ${shorten(from)} decides for every device.\n`
}
