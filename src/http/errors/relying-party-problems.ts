import { type ProblemAnswer, problem } from './problem-answer.ts'
import type { RelyingPartyProblemCode } from './problem-code.ts'

/** What is answered to relying parties outside of `/access/`. A new reason does not compile without a line. */
export const RELYING_PARTY_PROBLEMS: Readonly<Record<RelyingPartyProblemCode, ProblemAnswer>> = {
  status_list_unavailable: problem(
    503,
    'There is no list of statuses that is new enough.',
    'Ask again after the seconds in Retry-After, and deny meanwhile: an older list says nothing.',
  ),
  attestation_result_absent: problem(
    404,
    'There is no attestation result of this device that counts.',
    'Check the id, and let the device attest: it never did with success, or its evidence has ended.',
  ),
  status_list_history_absent: problem(
    501,
    'Lists of other times are not kept.',
    'Leave the parameter time out.',
  ),
}
