import type { ReleaseFailure } from '../../operations/release/release.ts'
import type { HttpContext } from '../environment.ts'
import { answerProblem } from '../errors/problem.ts'

const PREVIEW_FIRST =
  'preview it (POST /v1/previews with kind and document), read what it says, and ask again'

/** Why a document does not come into force, and what to do about it. */
export function answerReleaseFailure(c: HttpContext, failure: ReleaseFailure): Response {
  const { reason } = failure
  switch (reason) {
    case 'preview_missing':
      return answerProblem(
        c,
        reason,
        `there is no preview of this document against what is in force now that is young enough: ${PREVIEW_FIRST}`,
      )
    case 'preview_too_small': {
      const { compared, needed } = failure
      return answerProblem(
        c,
        reason,
        `the preview compared ${compared} devices, and ${needed} are needed: ${PREVIEW_FIRST}`,
        { compared, needed },
      )
    }
    case 'denials_not_accepted': {
      const { newlyDenied, accepted } = failure
      return answerProblem(
        c,
        reason,
        `${newlyDenied} devices would be denied that are allowed now: look at the preview (POST /v1/previews), and if that is what you want, say "accept_denials": ${newlyDenied}`,
        { newly_denied: newlyDenied, accept_denials: accepted },
      )
    }
    case 'rollout_open': {
      const { rolloutId } = failure.rollout
      return answerProblem(
        c,
        reason,
        `wait until ${rolloutId} is done, or end it: POST /v1/rollouts/${rolloutId}/revert`,
        { rollout_id: rolloutId },
      )
    }
    case 'document_in_force':
      return answerProblem(c, reason)
    case 'superseded':
      return answerProblem(
        c,
        reason,
        'look at what is in force now (GET /v1/policy, /v1/reference-values) and decide anew',
      )
  }
}
