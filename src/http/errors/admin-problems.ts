import { type ProblemAnswer, problem } from './problem-answer.ts'
import type { AdminProblemCode } from './problem-code.ts'

/** What is answered to administrators. A new reason does not compile without a line. */
export const ADMIN_PROBLEMS: Readonly<Record<AdminProblemCode, ProblemAnswer>> = {
  second_not_awaited: problem(
    409,
    'Nobody else asks for this as things stand now.',
    'Look at what waits (GET /v1/second-requests). What it is about may have changed since, or it was carried out; then the first administrator asks anew.',
  ),
  second_request_not_found: problem(
    404,
    'No such request waits for a second administrator.',
    'Look up its id with GET /v1/second-requests. It waits for an hour.',
  ),
  second_request_own: problem(
    409,
    'Nobody is their own second administrator.',
    'Another administrator has to approve of it.',
  ),
  search_too_broad: problem(
    422,
    'There are too many devices to look through.',
    'Narrow the search, or use npm run -s countersign -- devices list.',
  ),
  device_not_found: problem(
    404,
    'There is no such device.',
    'Check the id: dev_ and 52 characters.',
  ),
  document_refused: problem(
    422,
    'The document has mistakes and was not activated.',
    'Mend what the findings name, and send it again.',
  ),
  document_not_found: problem(
    404,
    'There is no such version of a document.',
    'Look up its hash among the versions.',
  ),
  document_not_usable: problem(
    409,
    'This version of the software cannot decide by that document.',
    'Release a version that this software can read.',
  ),
  document_in_force: problem(409, 'The document is in force already.', 'Nothing has to be done.'),
  preview_busy: problem(
    429,
    'Another preview is under way. Try again later.',
    'Ask again after the seconds in Retry-After.',
  ),
  preview_missing: problem(
    409,
    'No preview of the document counts.',
    'Preview the document, read what it says, and ask again.',
  ),
  preview_too_small: problem(
    409,
    'The preview compared too few devices.',
    'Preview with more devices, and ask again.',
  ),
  too_many_dates: problem(
    422,
    'The document names more dates than a preview looks at.',
    'Drop clauses and dates that are over; else name fewer that are to come, and release the later ones in time.',
  ),
  denials_not_accepted: problem(
    409,
    'Devices would be denied that are allowed now.',
    'Look at the preview, and say how many denials you accept.',
  ),
  idempotency_key_reused: problem(
    422,
    'The key belongs to another request.',
    'Give each change an Idempotency-Key of its own, and send it again as it was.',
  ),
  idempotency_under_way: problem(
    409,
    'The first request with this key is under way.',
    'Send the same request again after the seconds in Retry-After.',
  ),
  idempotency_outcome_unknown: problem(
    409,
    'The first request with this key ended without an answer.',
    'Look whether the change happened; if it did not, send it with another key.',
  ),
  precondition_failed: problem(
    412,
    'It is not what it was when it was read.',
    'Read it again: the header If-Match takes the ETag that comes with it.',
  ),
  superseded: problem(
    409,
    'Something else changed first, and nothing was changed now.',
    'Look at what is in force now, and decide anew.',
  ),
  rollout_open: problem(
    409,
    'Another document is being rolled out.',
    'Wait until it is done, or end it.',
  ),
  document_halted: problem(
    409,
    'The last rollout of this document halted.',
    'Find out why, and name the rollout as despite to release it all the same.',
  ),
  no_version_before: problem(
    409,
    'There is no version before that could be returned to.',
    'Release the version that you want.',
  ),
  already_back: problem(
    409,
    'The version from before decides already.',
    'To go back from that one all the same, name it as expected.',
  ),
  rollout_not_found: problem(
    404,
    'There is no such rollout.',
    'Look it up in the list of rollouts.',
  ),
  rollout_state_refused: problem(
    409,
    'The rollout is in another state.',
    'Look at its state: the step is not one of that state.',
  ),
  override_not_found: problem(
    404,
    'There is no such override.',
    'Look it up in the list of overrides.',
  ),
  expiry_refused: problem(
    400,
    'The override must end in time.',
    'Name a time to come that is not too far away.',
  ),
  too_many_overrides: problem(
    409,
    'There are too many overrides. End some first.',
    'End overrides that are over.',
  ),
  webhook_not_found: problem(
    404,
    'There is no such destination of alarms.',
    'Look it up in the list of webhooks.',
  ),
  webhooks_too_many: problem(
    409,
    'There are too many destinations of alarms.',
    'Remove one that nobody reads.',
  ),
  webhook_changed_meanwhile: problem(
    409,
    'Somebody else has just changed the destination.',
    'Look at it, and ask again.',
  ),
  hold_not_found: problem(404, 'There is no such hold.', 'Look it up in the list of holds.'),
}
