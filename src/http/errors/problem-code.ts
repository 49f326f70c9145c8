import type { WebhookFailure } from '../../operations/alerts/manage-webhooks.ts'
import type { ReceivingFailure } from '../../operations/attest/receive-submission.ts'
import type { ResultFailure } from '../../operations/devices/attestation-result.ts'
import type { DeviceFailure } from '../../operations/devices/change-standing.ts'
import type { SearchFailure } from '../../operations/devices/find-devices.ts'
import type { ApprovalFailure } from '../../operations/release/approve-request.ts'
import type { HoldFailure } from '../../operations/release/end-hold.ts'
import type { OverrideFailure } from '../../operations/release/overrides.ts'
import type { RollBackFailure } from '../../operations/release/roll-back.ts'
import type { SECOND_REASONS } from '../../operations/release/second-administrator.ts'
import type { StreamFailure } from '../../operations/signals/manage-streams.ts'
import type { StatusListFailure } from '../../operations/status-list/serve-list.ts'
import type { PollFailure } from '../../signals/poll-request.ts'
import type { TicketFailure } from '../../verifier/enrolment/ticket.ts'
import type { ClientRefusal } from '../middleware/refuse-client.ts'
import type { RequestFailure } from '../read-json.ts'
import type { SignInProblemCode } from './sign-in-answers.ts'
import type { VendorProblemCode } from './vendor-problems.ts'

/** Whatever an operation of administrators can refuse. */
export type AdminFailure =
  | RequestFailure
  | RollBackFailure
  | OverrideFailure
  | HoldFailure
  | DeviceFailure
  | SearchFailure
  | ApprovalFailure
  | WebhookFailure
  /** RFC 9110 §13.1.1 */
  | { readonly reason: 'precondition_failed' }
  | { readonly reason: IdempotencyCode }

/** Of a change that is sent again under its key. */
export type IdempotencyCode =
  | 'idempotency_key_reused'
  | 'idempotency_under_way'
  | 'idempotency_outcome_unknown'

/** Every code that our own API can answer with. Stable: agents and scripts act on them. */
export type ProblemCode =
  | SharedCode
  | AgentProblemCode
  | AdminProblemCode
  | SignalCode
  | RelyingPartyProblemCode
  | SignInProblemCode
  | VendorProblemCode

/** Those that agents meet, outside of `/attest/Tpm`. */
export type AgentProblemCode =
  | ReceivingFailure['reason']
  | TicketFailure['reason']
  | 'ticket_spent'
  | 'ak_public_malformed'
  | 'ak_refused'
  | 'ek_certificate_malformed'
  | 'ek_certificate_refused'
  | 'ek_public_mismatch'
  | 'ek_type_not_accepted'
  | 'enrolment_busy'
  | 'issuer_unavailable'
  | 'submissions_busy'

/** Those that administrators meet. */
export type AdminProblemCode = Exclude<
  AdminFailure['reason'],
  (typeof SECOND_REASONS)[number] | RequestFailure['reason']
>

/** Those that receivers of events meet. */
export type SignalCode = StreamFailure['reason'] | PollFailure['reason']

/** Those that relying parties meet, outside of `/access/`. */
export type RelyingPartyProblemCode =
  | StatusListFailure['reason']
  | ResultFailure['reason']
  | 'status_list_history_absent'

/** What can be wrong on every surface: each has the same status everywhere, in its own form. */
export type SharedCode =
  | RequestFailure['reason']
  | ClientRefusal
  | 'not_found'
  | 'method_not_allowed'
  | 'internal'
  | 'unavailable'
