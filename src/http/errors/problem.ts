import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { placeOf } from '../../base/located.ts'
import type { Failure } from '../../base/result.ts'
import type { ReceivingFailure } from '../../operations/attest/receive-submission.ts'
import type { DeviceFailure } from '../../operations/devices/change-standing.ts'
import type { SearchFailure } from '../../operations/devices/find-devices.ts'
import type { HoldFailure } from '../../operations/release/end-hold.ts'
import type { OverrideFailure } from '../../operations/release/overrides.ts'
import type { RollBackFailure } from '../../operations/release/roll-back.ts'
import type { SecondAwaited } from '../../operations/release/second-administrator.ts'
import type { TicketFailure } from '../../verifier/enrolment/ticket.ts'
import type { HttpContext } from '../environment.ts'
import type { ClientRefusal } from '../middleware/api-client.ts'
import type { RequestFailure } from '../read-json.ts'

/** Whatever an operation of administrators can refuse. */
export type AdminFailure =
  | RequestFailure
  | RollBackFailure
  | OverrideFailure
  | HoldFailure
  | DeviceFailure
  | SearchFailure

/** Every code that our own API can answer with. Stable: agents and scripts act on them. */
export type ProblemCode =
  | SharedCode
  | ReceivingFailure['reason']
  | TicketFailure['reason']
  | 'ticket_spent'
  | 'ak_public_malformed'
  | 'ak_refused'
  | 'ek_certificate_refused'
  | 'ek_public_mismatch'
  | 'ek_type_not_accepted'
  | 'enrolment_busy'
  | 'issuer_unavailable'
  | 'submissions_busy'
  | Exclude<AdminFailure['reason'], SecondAwaited['reason']>

/** What can be wrong on every surface: each has the same status everywhere, in its own form. */
export type SharedCode =
  | RequestFailure['reason']
  | ClientRefusal
  | 'not_found'
  | 'method_not_allowed'
  | 'internal'
  | 'unavailable'

type Answer = { readonly status: ContentfulStatusCode; readonly title: string }

const badRequest = (title: string): Answer => ({ status: 400, title })
const unauthorized = (title: string): Answer => ({ status: 401, title })
const conflict = (title: string): Answer => ({ status: 409, title })
const unprocessable = (title: string): Answer => ({ status: 422, title })

/** The one map from reasons to the wire (RFC 9457). A new reason does not compile without a line. */
const PROBLEMS: Readonly<Record<ProblemCode, Answer>> = {
  content_type_not_json: { status: 415, title: 'The content type must be application/json.' },
  body_too_large: { status: 413, title: 'The body is too large.' },
  body_incomplete: badRequest('The body ended before it was complete.'),
  body_not_utf8: badRequest('The body is not UTF-8.'),
  body_too_deep: badRequest('The body is nested too deep.'),
  text_not_storable: badRequest('The request has text that cannot be kept as it is.'),
  body_not_json: badRequest('The body is not JSON.'),
  request_malformed: badRequest('The request does not have the expected form.'),

  token_too_large: badRequest('The attestation token is too large.'),
  token_malformed: badRequest('The attestation token is not a JWT.'),
  token_draft: unauthorized('The attestation token is unsigned: a draft policy made it.'),
  token_algorithm_refused: unauthorized('The attestation token must be signed with RS256.'),
  token_type_refused: unauthorized('The attestation token has another type than JWT.'),
  token_critical_header: unauthorized('The attestation token demands an unknown extension.'),
  token_issuer_unknown: unauthorized('The attestation token is of no configured issuer.'),
  token_key_unknown: unauthorized('The attestation token is signed by no key of its issuer.'),
  token_key_not_yet_valid: unauthorized("The issuer's key is not valid yet."),
  token_key_expired: unauthorized("The issuer's key has expired."),
  token_signature_invalid: unauthorized('The signature of the attestation token is not valid.'),
  token_policy_answer: unauthorized('This token answers a policy request; it attests nothing.'),
  token_version_refused: unauthorized('The attestation token has an unknown version.'),
  token_claims_malformed: badRequest('A standard claim of the attestation token is malformed.'),
  token_policy_missing: unauthorized('The attestation token names no policy.'),
  policy_not_pinned: unauthorized(
    'The attestation token was issued under a policy that is not pinned.',
  ),
  token_expired: unauthorized('The attestation token has expired. Attest again.'),
  token_not_yet_valid: unauthorized('The attestation token is not valid yet. Check the clocks.'),
  token_issued_in_future: unauthorized(
    'The attestation token is from the future. Check the clocks.',
  ),
  token_too_old: unauthorized('The attestation token is too old. Attest again.'),
  token_nonce_malformed: badRequest('The nonce of the attestation token is malformed.'),
  token_nonce_mismatch: badRequest('nonce and rp_data of the attestation token differ.'),
  token_confirmation_malformed: badRequest('The cnf claim of the attestation token is malformed.'),
  token_kind_refused: unauthorized('The attestation token is about something else than a device.'),
  token_without_confirmation: unauthorized('The attestation token has no cnf key to prove.'),
  token_confirmation_unbound: unauthorized(
    'The evidence behind the attestation token does not bind its cnf key. Send attReqV2, or vbs.',
  ),
  token_without_nonce: unauthorized('The attestation token has no nonce. Ask for a challenge.'),
  token_without_device_key: unauthorized('The attestation token names no attestation key.'),

  key_set_unavailable: {
    status: 503,
    title: 'The keys of the verifier cannot be had at the moment. Hand the token in again later.',
  },

  proof_missing: unauthorized('The DPoP header is missing.'),
  proof_too_large: badRequest('The proof of possession is too large.'),
  proof_malformed: badRequest('The DPoP header is not one JWT.'),
  proof_type_refused: unauthorized('The proof must have the type dpop+jwt.'),
  proof_critical_header: unauthorized('The proof demands an unknown extension.'),
  proof_key_private: badRequest('The proof carries a private key. Replace that key.'),
  proof_key_malformed: badRequest('The proof carries no usable public key.'),
  proof_algorithm_refused: unauthorized('The proof must be signed with PS256, RS256 or ES256.'),
  proof_key_mismatch: unauthorized('The proof is by another key than the token confirms.'),
  proof_signature_invalid: unauthorized('The signature of the proof is not valid.'),
  proof_claims_malformed: badRequest('A claim of the proof is missing or malformed.'),
  proof_method_mismatch: unauthorized('The proof is for another method.'),
  proof_url_mismatch: unauthorized(
    'The proof is for another URL than the one of this service (PUBLIC_URL).',
  ),
  proof_issued_in_future: unauthorized('The proof is from the future. Check the clocks.'),
  proof_too_old: unauthorized('The proof is too old.'),
  proof_nonce_mismatch: unauthorized('The proof has another nonce than the token.'),

  nonce_malformed: unauthorized('The nonce was not issued by this service.'),
  nonce_foreign: unauthorized('The nonce was not issued by this service to this device.'),
  nonce_expired: unauthorized('The nonce has expired. Ask for a new challenge.'),
  nonce_spent: conflict('The nonce has been used. Ask for a new challenge.'),
  attestation_overtaken: conflict('The device proved another key at a later time. Attest again.'),
  device_not_listed: { status: 403, title: 'The device is not listed. Ask your administrator.' },
  device_keys_exhausted: conflict('The TPM of this device has too many attestation keys.'),
  device_not_vouched: {
    status: 403,
    title: 'Nobody vouches for the TPM of this device. Ask your administrator.',
  },
  enrolment_rate_limited: { status: 429, title: 'Too many new devices come at once. Come later.' },
  enrolment_full: {
    status: 503,
    title: 'No more devices are recorded for whose TPM nobody vouches. Ask your administrator.',
  },
  submissions_busy: { status: 503, title: 'Too many attestations are under way. Come later.' },
  device_rate_limited: { status: 429, title: 'The device attests too often.' },

  ak_public_malformed: badRequest('The public area of the attestation key cannot be read.'),
  ak_refused: unprocessable('The key is not one that a TPM attests with.'),
  ek_certificate_refused: { status: 403, title: 'Nobody trusted vouches for the endorsement key.' },
  ek_public_mismatch: unprocessable('The endorsement key is not the one of its certificate.'),
  ek_type_not_accepted: { status: 403, title: 'Endorsement keys of this type are not accepted.' },
  ticket_foreign: badRequest('The ticket was not issued by this service.'),
  ticket_expired: conflict('The ticket has expired. Begin again.'),
  ticket_spent: conflict('The ticket has been used. Begin again.'),
  secret_wrong: { status: 403, title: 'This is not the secret of the credential.' },
  issuer_unavailable: {
    status: 503,
    title: 'The certificate of an issuer cannot be had at the moment. Begin again later.',
  },
  enrolment_busy: { status: 503, title: 'Too many enrolments are under way. Try again.' },

  claims_wrong_type: badRequest('A claim of the attestation token has the wrong type.'),
  claims_over_limit: badRequest('A claim of the attestation token is too large.'),
  claims_contradictory: badRequest('Claims of the attestation token contradict each other.'),

  search_too_broad: unprocessable('There are too many devices to look through.'),
  device_not_found: { status: 404, title: 'There is no such device.' },
  document_refused: { status: 422, title: 'The document has mistakes and was not activated.' },
  document_not_found: { status: 404, title: 'There is no such version of a document.' },
  document_not_usable: conflict('This version of the software cannot decide by that document.'),
  document_in_force: conflict('The document is in force already.'),
  preview_busy: { status: 429, title: 'Another preview is under way. Try again later.' },
  preview_missing: conflict('No preview of the document counts.'),
  preview_too_small: conflict('The preview compared too few devices.'),
  too_many_dates: { status: 422, title: 'The document names more dates than a preview looks at.' },
  denials_not_accepted: conflict('Devices would be denied that are allowed now.'),
  superseded: conflict('Something else changed first, and nothing was changed now.'),
  rollout_open: conflict('Another document is being rolled out.'),
  document_halted: conflict('The last rollout of this document halted.'),
  no_version_before: conflict('There is no version before that could be returned to.'),
  already_back: conflict('The version from before decides already.'),
  rollout_not_found: { status: 404, title: 'There is no such rollout.' },
  rollout_state_refused: conflict('The rollout is in another state.'),
  override_not_found: { status: 404, title: 'There is no such override.' },
  expiry_refused: badRequest('The override must end in time.'),
  too_many_overrides: conflict('There are too many overrides. End some first.'),
  hold_not_found: { status: 404, title: 'There is no such hold.' },
  unauthenticated: unauthorized('Client credentials are missing or wrong.'),
  forbidden: { status: 403, title: 'The client lacks the scope for this.' },
  client_rate_limited: { status: 429, title: 'The client was refused too often.' },
  not_found: { status: 404, title: 'There is nothing here.' },
  method_not_allowed: { status: 405, title: 'This can be asked for by other methods only.' },
  internal: { status: 500, title: 'The service failed.' },
  unavailable: { status: 503, title: 'The service cannot answer at the moment. Try again later.' },
}

/** The status of a code, for the surfaces that word it otherwise. */
export function statusOf(code: SharedCode): ContentfulStatusCode {
  return PROBLEMS[code].status
}

/** Answers with a problem document: what is wrong, and the id under which an operator finds it. */
export function answerProblem(
  c: HttpContext,
  code: ProblemCode,
  detail?: string,
  members: Readonly<Record<string, unknown>> = {},
): Response {
  const { status, title } = PROBLEMS[code]
  const problem = {
    type: `urn:countersign:problem:${code}`,
    title,
    status,
    code,
    ...(detail !== undefined && { detail }),
    instance: `urn:countersign:request:${encodeURIComponent(c.get('requestId'))}`,
    ...members,
  }
  if (status === 401 && code !== 'unauthenticated') {
    c.header('www-authenticate', challengeOf(code))
  }
  return c.body(JSON.stringify(problem), status, { 'content-type': 'application/problem+json' })
}

/** RFC 9449 §7.1: an agent proves itself by a token and by a proof of its key. */
function challengeOf(code: ProblemCode): string {
  const error = code.startsWith('proof_') ? 'invalid_dpop_proof' : 'invalid_token'
  return `DPoP error="${error}", algs="PS256 RS256 ES256"`
}

/** Members of a problem that say where, and what would have been right: what answers of `/attest/Tpm` say. */
export function tellPlace(failure: Failure): Readonly<Record<string, unknown>> {
  const where = placeOf(failure)
  const { expected } = failure
  return { ...(where !== undefined && { where }), ...(expected !== undefined && { expected }) }
}

/** How our own API refuses a client: `requireClient` asks for it. */
export function answerUnauthorized(c: HttpContext, code: ClientRefusal, detail: string): Response {
  return answerProblem(c, code, detail)
}
