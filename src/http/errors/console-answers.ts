import type { PersonFailure } from '../../operations/people/failures.ts'
import { type ProblemAnswer, problem } from './problem-answer.ts'

/** Why a request to the console is refused that says nothing of who sends it. */
export const CONSOLE_REQUEST_REASONS = ['cross_site_refused'] as const

/** What people are told on a page of the console, instead of the one that they asked for. */
export type ConsoleCode = PersonFailure['reason'] | (typeof CONSOLE_REQUEST_REASONS)[number]

const AGAIN = 'Sign in again.'

/** A new reason does not compile without a line. */
export const CONSOLE_ANSWERS: Readonly<Record<ConsoleCode, ProblemAnswer>> = {
  cross_site_refused: problem(
    403,
    'The request comes from a page of somebody else.',
    'Open the page of the console and send the form from there.',
  ),
  session_missing: problem(401, 'Nobody is signed in here.', 'Sign in.'),
  session_malformed: problem(401, 'The cookie of the session is none of ours.', AGAIN),
  session_expired: problem(
    401,
    'The session has ended: it was not used for too long, or has lasted as long as one may.',
    AGAIN,
  ),
  session_ended: problem(401, 'The session was signed out, or ended by an administrator.', AGAIN),
  session_of_another_browser: problem(
    401,
    'The session was begun in another browser, or by another version of this one.',
    AGAIN,
  ),
  session_roles_stale: problem(401, 'The roles have to be read again.', AGAIN),
  console_state_refused: problem(
    400,
    'The answer belongs to no sign-in that was begun here.',
    'Begin again at the console.',
  ),
  console_browser_refused: problem(
    403,
    'The sign-in was begun in another browser, or this one keeps no cookies.',
    'Begin again in this browser, and let it keep cookies of this site.',
  ),
  console_sign_in_expired: problem(410, 'The sign-in took too long.', 'Begin again.'),
  console_sign_in_repeated: problem(400, 'The sign-in was used before.', 'Begin again.'),
  console_issuer_mixed_up: problem(
    403,
    'The answer comes from another issuer than the one that was asked.',
    'Begin again; if it comes again, look whether CONSOLE_ISSUER is what the issuer calls itself.',
  ),
  console_issuer_refused: problem(
    403,
    'The organisation’s sign-in let nobody in.',
    'Look there why: the person may not be assigned to this application.',
  ),
  console_code_refused: problem(
    403,
    'The organisation’s sign-in does not take the code: it is of another sign-in, or was used.',
    'Begin again at the console.',
  ),
  console_client_refused: problem(
    500,
    'The organisation’s sign-in does not know this service.',
    'Set CONSOLE_CLIENT_ID and CONSOLE_CLIENT_SECRET as they stand there, and look how the client proves itself.',
  ),
  console_nonce_refused: problem(
    403,
    'The ID token is of another sign-in.',
    'Begin again at the console.',
  ),
  console_audience_refused: problem(
    403,
    'The ID token is for another client.',
    'Begin again; if it comes again, look whether CONSOLE_CLIENT_ID is that of this service.',
  ),
  console_id_token_refused: problem(
    403,
    'The ID token does not count.',
    'Look in the log or the audit what is wrong with it: its signature, its times or its shape.',
  ),
  console_role_missing: problem(
    403,
    'The organisation gives this person no role here.',
    'Give them one there, and list its value in CONSOLE_ROLES; CONSOLE_ROLES_CLAIM says where it stands.',
  ),
  console_issuer_unavailable: problem(
    503,
    'The organisation’s sign-in cannot be reached at the moment.',
    'Try again; whoever is signed in works on meanwhile. Look whether this service reaches CONSOLE_ISSUER.',
  ),
  console_link_refused: problem(
    403,
    'The link is none of this service.',
    'Open it as it was printed, or have another one made: npm run -s countersign -- people link.',
  ),
  console_link_expired: problem(
    410,
    'The link has expired.',
    'Have another one made: npm run -s countersign -- people link.',
  ),
  console_link_spent: problem(
    410,
    'The link was used before.',
    'Have another one made: npm run -s countersign -- people link.',
  ),
  console_link_not_allowed: problem(
    403,
    'One-time links do not count here: there is an issuer, or others reach the service.',
    'Sign in at the organisation. Without an issuer, links are for a service on a loopback address.',
  ),
}
