import { COMMAND } from '../../base/command.ts'
import { describeLosses, plural } from '../../base/words.ts'
import type { OverrideFailure } from '../../operations/release/overrides.ts'
import type { RollBackFailure } from '../../operations/release/roll-back.ts'
import { MAX_OVERRIDE_MS, MAX_OVERRIDES } from '../../rollout/override.ts'

/**
 * The one map from what operations on documents, rollouts and overrides refuse to what somebody at a
 * terminal is told: why, and what to do.
 */
export function describeFailure(failure: RollBackFailure | OverrideFailure): string {
  switch (failure.reason) {
    case 'document_refused':
      return `the document has errors: ${failure.findings.map(({ message }) => message).join('; ')}`
    case 'document_in_force':
      return 'the document is in force already'
    case 'document_not_found':
    case 'document_not_usable':
      return `that version cannot decide (${failure.reason}): ${COMMAND} policy list`
    case 'preview_missing':
    case 'preview_too_small':
      return `the preview does not count (${failure.reason}): preview the document again`
    case 'too_many_dates':
      return `it names ${plural(failure.leftOut, 'date')} to come more than a preview looks at, so that nobody sees what it does then: bring it into force with fewer, and the later ones in time`
    case 'preview_busy':
      return 'another preview is under way: try again when it is done'
    case 'denials_not_accepted':
      return `${describeLosses(failure.newlyDenied)}, and ${failure.accepted} were accepted`
    case 'superseded':
      return 'something else changed meanwhile, and nothing was changed now: look again and decide anew'
    case 'rollout_open': {
      const { rolloutId } = failure.rollout
      return `another document is being rolled out: ${COMMAND} rollout show ${rolloutId}; wait until it is done, or end it with ${COMMAND} rollout revert ${rolloutId} --reason TEXT`
    }
    case 'document_halted': {
      const { rolloutId, note } = failure.rollout
      return `the last rollout of this document, ${rolloutId}, ${note}; to release it all the same: --despite ${rolloutId}`
    }
    case 'no_version_before':
      return `there is no version before that it could return to: ${COMMAND} policy list shows all, and activate brings one of them into force`
    case 'already_back': {
      const { rolloutId, state, from } = failure.rollout
      return `rollout ${rolloutId} is ${state}, so that the version from before it, ${from.slice(0, 12)}, decides already; to go back from that one all the same: --expected ${from}`
    }
    case 'rollout_not_found':
      return `there is no such rollout: ${COMMAND} rollout list`
    case 'rollout_state_refused':
      return `the rollout is ${failure.state}: that is not possible any more`
    case 'expiry_refused':
      return `--for must be more than nothing and at most ${MAX_OVERRIDE_MS / 86_400_000}d`
    case 'device_not_found':
      return `there is no such device: ${COMMAND} devices list`
    case 'too_many_overrides':
      return `there are ${MAX_OVERRIDES} overrides already: end some (${COMMAND} rollout overrides)`
    case 'override_not_found':
      return `there is no such override: ${COMMAND} rollout overrides`
    case 'second_awaited':
    case 'second_not_awaited':
      throw new TypeError('commands wait for no second administrator')
  }
}
