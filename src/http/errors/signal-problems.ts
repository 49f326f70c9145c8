import { type ProblemAnswer, problem } from './problem-answer.ts'
import type { SignalCode } from './problem-code.ts'

/** SSF 1.0 §8.1 and RFC 8936 §2.5 say the statuses, and leave the body open. */
export const SIGNAL_PROBLEMS: Readonly<Record<SignalCode, ProblemAnswer>> = {
  stream_malformed: problem(
    400,
    'A member of the stream does not have the expected form.',
    'Mend the member that the detail names.',
  ),
  stream_push_url_refused: problem(
    400,
    'Events are not pushed to this URL.',
    'Give an https URL without a name, a password or a fragment in it.',
  ),
  stream_member_foreign: problem(
    400,
    'A member that only the transmitter sets was sent back with another value.',
    'Leave the member out, or send it as it was told.',
  ),
  stream_unknown: problem(
    404,
    'This client has no such stream.',
    'Read the streams of the client (GET /ssf/stream).',
  ),
  too_many_streams: problem(
    409,
    'This client has as many streams as it may have.',
    'End one that nobody uses (DELETE /ssf/stream).',
  ),
  stream_contended: problem(
    409,
    'Somebody else changes this stream at the same time.',
    'Read the stream and send the change again.',
  ),
  verification_too_soon: problem(
    429,
    'A verification was asked for a moment ago.',
    'Wait for min_verification_interval seconds.',
  ),
  subject_malformed: problem(
    400,
    'A member of the request about a subject does not have the expected form.',
    'Mend the member that the detail names (SSF 1.0 §8.1.3).',
  ),
  subject_unknown: problem(
    404,
    'The subject is in no form in which events name devices or their owners.',
    'Send it as it stands in events: iss_sub or opaque with the device, email with the owner, or complex with both.',
  ),
  too_many_subjects: problem(
    429,
    'The stream leaves out as many subjects as it may.',
    'Add some again, or take events of all and pass over those that are of no use.',
  ),
  poll_malformed: problem(
    400,
    'A member of the poll does not have the expected form.',
    'Mend the member that the detail names (RFC 8936 §2.2).',
  ),
}
