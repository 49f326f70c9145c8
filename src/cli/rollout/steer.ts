import { COMMAND } from '../../base/command.ts'
import type { RolloutVerb } from '../../operations/release/drive-rollout.ts'
import { type CommandedRollout, type SteerFailure, steer } from '../../operations/release/steer.ts'
import type { Store } from '../../store/store.ts'
import { showRollout } from '../../views/show-control.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { shorten } from '../policy/find-version.ts'
import { describePlace } from './list.ts'

/** Does one thing to a rollout. Asking again for what is done already changes nothing. */
export async function steerRollout(
  store: Store,
  options: {
    readonly rolloutId: string
    readonly verb: RolloutVerb
    readonly reason: string
    readonly json: boolean
    readonly now: Date
  },
): Promise<number> {
  const { rolloutId, verb, reason, json, now } = options
  const rulesInForce = await steer(store, { rolloutId, verb, by: COMMAND_LINE, reason, now })
  if (!rulesInForce.ok) throw new Error(describeFailure(rolloutId, rulesInForce.failure))
  const { rollout, changed } = rulesInForce.value
  if (json) printJson({ ...showRollout(rollout, now), changed })
  else printText(describe(rulesInForce.value, verb))
  return 0
}

function describe({ rollout, changed }: CommandedRollout, verb: string): string {
  const { rolloutId, state, from, to } = rollout
  const unchanged = changed ? '' : ' already: nothing was changed'
  if (state === 'done') {
    const inForce = verb === 'revert' ? from : to
    return `${shorten(inForce)} is in force for every device${unchanged}.\n`
  }
  if (state === 'running' || state === 'paused') {
    return `${rolloutId} is ${state}${unchanged}: ${describePlace(rollout)}.\n`
  }
  return `${rolloutId} is ${state}${unchanged}: ${shorten(from)} decides for every device.\n`
}

function describeFailure(rolloutId: string, failure: SteerFailure): string {
  switch (failure.reason) {
    case 'rollout_not_found':
      return `there is no rollout ${rolloutId}: ${COMMAND} rollout list`
    case 'rollout_state_refused':
      return `${rolloutId} is ${failure.state}: that is not possible any more`
    case 'superseded':
      return `${rolloutId} took a step meanwhile, or another document came into force: look at it (${COMMAND} rollout show ${rolloutId}) and decide anew`
    case 'document_not_found':
    case 'document_not_usable':
      return `the document from before it cannot come back (${failure.reason}): ${COMMAND} policy list`
  }
}
