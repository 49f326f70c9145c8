import { describeLosses, plural } from '../../base/words.ts'
import type { PreviewFailure } from '../../operations/release/gates.ts'
import { MAX_OVERRIDE_MS } from '../../rollout/override.ts'
import type { HttpContext } from '../environment.ts'
import { answerProblem } from '../errors/problem.ts'
import type { AdminFailure } from '../errors/problem-code.ts'

const PREVIEW_FIRST =
  'preview it (POST /v1/previews with kind and document), read what it says, and ask again'
const NARROW =
  'narrow the search, for one by a clause, a label or an owner; the commands devices list and devices export look through a fleet of any size'
const LOOK_AGAIN =
  'look at what is in force now (GET /v1/policy, /v1/reference-values, /v1/rollouts)'

/** The one map from what operations refuse to what administrators are told: why, and what to do. */
export function answerFailure(c: HttpContext, failure: AdminFailure): Response {
  const { reason } = failure
  switch (reason) {
    case 'second_awaited': {
      const { expiresAt: expires_at, back } = failure
      const paused = back?.paused
      const so_far =
        paused === undefined
          ? 'nothing has happened yet'
          : `${paused} is paused and goes no further, and nothing else has happened yet`
      const detail = `${so_far}: another administrator has to send the same request`
      const told = { expires_at, detail, ...(paused !== undefined && { paused }) }
      return c.json({ waits_for: 'second_administrator', ...told }, 202)
    }
    case 'document_refused': {
      const { findings } = failure
      return answerProblem(c, reason, findings[0]?.message, { findings })
    }
    case 'preview_missing': {
      const detail = `the fleet is too large to be replayed within a request, and there is no preview of this document against what is in force now that is young enough: ${previewFirst(failure)}`
      return answerProblem(c, reason, detail, membersOf(failure))
    }
    case 'preview_too_small': {
      const { compared, needed } = failure
      const detail = `the preview compared ${plural(compared, 'device')}, and ${needed} are needed: ${previewFirst(failure)}`
      return answerProblem(c, reason, detail, { compared, needed })
    }
    case 'too_many_dates': {
      const { leftOut } = failure
      const detail = `the document names ${plural(leftOut, 'date')} to come more than a preview looks at: bring it into force with fewer, and the later ones in time`
      return answerProblem(c, reason, detail, { left_out: leftOut })
    }
    case 'denials_not_accepted': {
      const { newlyDenied, accepted } = failure
      return answerProblem(
        c,
        reason,
        `${describeLosses(newlyDenied)}${describePaused(failure)}: look at the preview (POST /v1/previews${namesOf(failure)}), and if that is what you want, say "accept_denials": ${newlyDenied}`,
        { newly_denied: newlyDenied, accept_denials: accepted, ...membersOf(failure) },
      )
    }
    case 'rollout_open': {
      const { rolloutId, kind } = failure.rollout
      const detail = `wait until ${rolloutId} (${kind}) is done, or end it: POST /v1/rollouts/${rolloutId}/revert`
      return answerProblem(c, reason, detail, { rollout_id: rolloutId })
    }
    case 'document_halted': {
      const { rolloutId, note } = failure.rollout
      const detail = `${rolloutId} ${note}. To release it all the same, name that rollout: "despite": "${rolloutId}"`
      return answerProblem(c, reason, detail, { rollout_id: rolloutId })
    }
    case 'no_version_before':
      return answerProblem(c, reason, `${LOOK_AGAIN}, and release the version that you want`)
    case 'already_back': {
      const { rolloutId, state, from } = failure.rollout
      const detail = `${rolloutId} is ${state}, so that the version from before it decides already; to go back from that version all the same, name it: "expected": "${from}"`
      return answerProblem(c, reason, detail, { rollout_id: rolloutId, hash: from })
    }
    case 'rollout_state_refused': {
      const { state } = failure
      return answerProblem(c, reason, `the rollout is ${state}`, { state })
    }
    case 'superseded':
      return answerProblem(c, reason, `${LOOK_AGAIN} and decide anew`)
    case 'search_too_broad':
      return answerProblem(c, reason, NARROW)
    case 'expiry_refused': {
      const days = MAX_OVERRIDE_MS / 86_400_000
      const detail = `expires_at must be in the future, and at most ${days} days away`
      return answerProblem(c, reason, detail)
    }
    case 'preview_busy':
      c.header('retry-after', String(RETRY_AFTER_SECONDS))
      return answerProblem(c, reason)
    default:
      return answerProblem(c, reason, 'detail' in failure ? failure.detail : undefined)
  }
}

const RETRY_AFTER_SECONDS = 5

/** What to do for a preview; of a way back, also what to do where there is no time for one. */
function previewFirst(failure: PreviewFailure): string {
  if (failure.back === undefined) return PREVIEW_FIRST
  return `preview the way back (POST /v1/previews${namesOf(failure)}) and ask again${describePaused(failure)}; in an emergency "accept_all_denials": true goes back without counting anybody`
}

function namesOf({ back }: PreviewFailure): string {
  return back === undefined ? '' : ` with {"kind": "${back.kind}", "hash": "${back.hash}"}`
}

function describePaused({ back }: PreviewFailure): string {
  return back?.paused === undefined
    ? ''
    : `; ${back.paused} is paused and goes no further meanwhile`
}

function membersOf({ back }: PreviewFailure): Readonly<Record<string, string>> {
  if (back === undefined) return {}
  const { kind, hash, paused } = back
  return { kind, hash, ...(paused !== undefined && { paused }) }
}
