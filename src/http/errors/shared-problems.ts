import { type ProblemAnswer, problem } from './problem-answer.ts'
import type { SharedCode } from './problem-code.ts'

/** What can be wrong on every surface. */
export const SHARED_PROBLEMS: Readonly<Record<SharedCode, ProblemAnswer>> = {
  content_type_not_json: problem(
    415,
    'The content type must be application/json.',
    'Send the header Content-Type: application/json.',
  ),
  body_too_large: problem(
    413,
    'The body is too large.',
    'Send less: the detail says how many bytes are taken.',
  ),
  body_incomplete: problem(
    400,
    'The body ended before it was complete.',
    'Send the request again, with a Content-Length that is right.',
  ),
  body_not_utf8: problem(400, 'The body is not UTF-8.', 'Encode the body as UTF-8.'),
  body_too_deep: problem(
    400,
    'The body is nested too deep.',
    'Send the members that are asked for and no others.',
  ),
  text_not_storable: problem(
    400,
    'The request has text that cannot be kept as it is.',
    'Leave NUL, half surrogate pairs and broken escapes out of all texts.',
  ),
  body_not_json: problem(400, 'The body is not JSON.', 'Send one JSON value (RFC 8259).'),
  request_malformed: problem(
    400,
    'The request does not have the expected form.',
    'Mend the member that the detail names.',
  ),
  unauthenticated: problem(
    401,
    'Client credentials are missing or wrong.',
    'Send id and secret of an API client by HTTP Basic, or an access token.',
  ),
  forbidden: problem(
    403,
    'The client lacks the scope for this.',
    'Use a client that has the scope that the detail names.',
  ),
  client_rate_limited: problem(
    429,
    'The client was refused too often.',
    'Mend the credentials or the scope, and wait for the seconds in Retry-After.',
  ),
  not_found: problem(404, 'There is nothing here.', 'Check path and prefix of the URL.'),
  method_not_allowed: problem(
    405,
    'This can be asked for by other methods only.',
    'Use the method that is documented for the path.',
  ),
  internal: problem(
    500,
    'The service failed.',
    'Ask the operator of the service about the request, by its id.',
  ),
  unavailable: problem(
    503,
    'The service cannot answer at the moment. Try again later.',
    'Send the same request again after the seconds in Retry-After.',
  ),
}
