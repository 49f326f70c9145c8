import type { CompiledPolicy } from '../policy/document/compile.ts'
import { type ClauseOutcome, demandsDevice } from '../policy/language/evaluate.ts'
import {
  type Assessment,
  assess,
  assessWithoutDevice,
  type Documents,
  type Like,
} from './assess.ts'
import type { DeviceNameFailure } from './device-of-request.ts'
import {
  checkTokenStanding,
  type TokenStandingFailure,
  type VerifiedDeviceToken,
} from './device-token.ts'
import type { EvaluationRequest } from './evaluation-request.ts'
import { type LanguageRange, readLanguages } from './language.ts'
import { type DescribedReason, describeBuiltIn, describeReason } from './reason-text.ts'
import type { Relief, ReliefKind, Reliefs } from './relief.ts'
import type { TrustRecord, Verdict } from './trust-record.ts'
import { blockingReasons, type VerdictReason } from './verdict.ts'

/** The answer to an AuthZEN question, as it goes over the wire. */
export type Decision = { readonly decision: boolean; readonly context: DecisionContext }

export type DecisionContext = {
  readonly verdict: Verdict
  /** Why it is denied; empty when it is granted. */
  readonly reasons: readonly DescribedReason[]
  /** Ids of `report` clauses that do not hold: they never decide. */
  readonly reported: readonly string[]
  /** Hashes of the rules that decided. */
  readonly policy: string
  readonly reference_values: string
  /** `false` where the question named no device and the policy demands none for it. */
  readonly device_demanded?: false
  readonly device_id?: string
  readonly attestation_id?: string
  readonly attested_at?: string
  readonly valid_until?: string
  /**
   * The key that the device proved last, RFC 7800: whoever is in front of the device can demand a
   * proof of it (RFC 9449 §7), so that a stolen device token opens nothing.
   */
  readonly cnf?: { readonly jkt: string }
  /** What is wrong and does not count for the moment. Absent where nothing is. */
  readonly relief?: readonly ToldRelief[]
  /** AuthZEN §5.5.1's own members, keyed by an HTTP-like code. */
  readonly reason_admin?: { readonly '403': string }
  readonly reason_user?: { readonly '403': string }
}

export type ToldRelief = {
  readonly kind: ReliefKind
  /** The clause or other reason; absent where an administrator allows the device. */
  readonly reason?: string
  /** ISO 8601: until when at most. */
  readonly until: string
}

export function describeRelief({ kind, reason, until }: Relief): ToldRelief {
  return { kind, ...(reason !== undefined && { reason }), until: until.toISOString() }
}

/** One question with all that decides it. */
export type Case = {
  readonly rules: Documents
  /** `null` when no such device is on record. */
  readonly record: TrustRecord | null
  /** With what the directory says where the caller says nothing (`completeRequest`). */
  readonly request: EvaluationRequest
  /** Why the request names no device, where it names none. */
  readonly unnamed?: DeviceNameFailure['reason'] | undefined
  /** The token that the device is named by, if it is by one. */
  readonly token?: VerifiedDeviceToken | undefined
  /** What may keep access open although something is wrong. */
  readonly reliefs: Reliefs
  readonly now: Date
}

/** A decision, and what came before it: receipts and shadow decisions go on from there. */
export type Decided = {
  readonly case: Case
  readonly decision: Decision
  /** Absent where it was decided before any clause: a device is missing, or a token is one of before. */
  readonly assessment: Assessment | undefined
}

/**
 * Whether a device may do what a request asks: when it is trusted, and no enforced request clause
 * fails or is undecidable. A request that names no device is denied unless the policy demands none for
 * it; then every enforced clause has to hold, and none that is about a device does. One that names a
 * device is judged by it all the same.
 */
export function decide(
  asked: Case,
  options: {
    /** An Accept-Language value; `context.language` of the request goes before it. */
    readonly language?: string | undefined
    /**
     * What was decided on the same question, record and time under other documents: clauses that
     * these have in common are not evaluated again.
     */
    readonly like?: Decided | undefined
  } = {},
): Decided {
  const { rules, record, request, token, reliefs, now } = asked
  const languages = () => languagesOf(request, options.language)
  const withoutClauses = (reason: WithoutClauses): Decided => {
    return {
      case: asked,
      decision: denyWithoutClauses(rules, reason, languages()),
      assessment: undefined,
    }
  }
  if (asked.unnamed !== undefined) {
    // A token that is refused, or names that conflict, are a device that cannot be told: never none.
    const isNone = asked.unnamed === 'device_not_named'
    return isNone && !demandsDevice(rules.policy, request)
      ? decideWithoutDevice(asked, languages)
      : withoutClauses(asked.unnamed)
  }
  if (record === null) return withoutClauses('device_unknown')
  const standing = token && checkTokenStanding(token, record)
  if (standing?.ok === false) return withoutClauses(standing.failure.reason)

  const like = likeUnder(rules, options.like)
  const assessment = assess({ ...rules, record, request, reliefs, now, like })
  const reasons = reasonsToDeny(assessment)
  const context = contextOf(record, rules, assessment)
  if (reasons.length === 0)
    return { case: asked, decision: { decision: true, context }, assessment }
  const told = describeAll(reasons, rules.policy, languages())
  return { case: asked, decision: deny(context, { reasons, told }), assessment }
}

function decideWithoutDevice(asked: Case, languages: () => readonly LanguageRange[]): Decided {
  const { rules, request, now } = asked
  const assessment = assessWithoutDevice(rules.policy, { request, now })
  const { reasons, clauseOutcomes } = assessment
  const context: DecisionContext = {
    verdict: 'unknown',
    reasons: [],
    reported: reportedClauses(clauseOutcomes),
    policy: rules.policy.hash,
    reference_values: rules.referenceValues.hash,
    device_demanded: false,
  }
  if (reasons.length === 0) {
    return { case: asked, decision: { decision: true, context }, assessment }
  }
  const told = describeAll(reasons, rules.policy, languages())
  return { case: asked, decision: deny(context, { reasons, told }), assessment }
}

/** Why an assessed request is denied: for its device, or where that is trusted for what it asks. */
export function reasonsToDeny(assessment: Assessment): readonly VerdictReason[] {
  const { verdict, clauseOutcomes, reasons } = assessment
  return verdict === 'trusted' ? blockingReasons(clauseOutcomes, 'request') : reasons
}

/** What a decision rests on; why it denies is added where it does. */
function contextOf(
  { deviceId, attestation }: TrustRecord,
  { policy, referenceValues }: Documents,
  { verdict, clauseOutcomes, relief }: Assessment,
): DecisionContext {
  const about = {
    verdict,
    reasons: [],
    reported: reportedClauses(clauseOutcomes),
    policy: policy.hash,
    reference_values: referenceValues.hash,
    device_id: deviceId,
  }
  const told = relief && { relief: relief.map(describeRelief) }
  if (attestation === null) return { ...about, ...told }
  return {
    ...about,
    attestation_id: attestation.attestationId,
    attested_at: attestation.attestedAt.toISOString(),
    valid_until: attestation.validUntil.toISOString(),
    cnf: { jkt: attestation.confirmationKey },
    ...told,
  }
}

/** What an assessment under other documents lends: its clauses hold for the same evidence alone. */
function likeUnder({ referenceValues }: Documents, like: Decided | undefined): Like | undefined {
  if (like?.assessment === undefined) return undefined
  const { rules } = like.case
  if (rules.referenceValues !== referenceValues) return undefined
  return { policy: rules.policy, assessment: like.assessment }
}

type WithoutClauses =
  | DeviceNameFailure['reason']
  | TokenStandingFailure['reason']
  | 'device_unknown'

function denyWithoutClauses(
  { policy, referenceValues }: Documents,
  reason: WithoutClauses,
  languages: readonly LanguageRange[],
): Decision {
  const context: DecisionContext = {
    verdict: 'unknown',
    reasons: [],
    reported: [],
    policy: policy.hash,
    reference_values: referenceValues.hash,
  }
  return deny(context, { reasons: [{ code: reason }], told: [describeBuiltIn(reason, languages)] })
}

function deny(
  context: DecisionContext,
  why: {
    readonly reasons: readonly AdminReason[]
    readonly told: readonly DescribedReason[]
  },
): Decision {
  const forAdmin = `${context.verdict}: ${why.reasons.map(describeForAdmin).join('; ')}`
  const forUser = why.told.map(({ title, repair }) => `${title}. ${repair}`).join(' ')
  return {
    decision: false,
    context: {
      ...context,
      reasons: why.told,
      reason_admin: { '403': forAdmin },
      reason_user: { '403': forUser },
    },
  }
}

type AdminReason = { readonly code: string; readonly clause?: string; readonly cause?: string }

function describeForAdmin({ code, clause, cause }: AdminReason): string {
  if (clause === undefined) return code
  return cause === undefined ? `${code} ${clause}` : `${code} ${clause} (${cause})`
}

function describeAll(
  reasons: readonly VerdictReason[],
  policy: CompiledPolicy,
  languages: readonly LanguageRange[],
): readonly DescribedReason[] {
  return reasons.map((reason) => describeReason(reason, policy, languages))
}

function reportedClauses(outcomes: readonly ClauseOutcome[]): readonly string[] {
  return outcomes
    .filter(({ severity, status }) => severity === 'report' && isUnmet(status))
    .map(({ clause }) => clause)
}

function isUnmet(status: ClauseOutcome['status']): boolean {
  return status === 'fail' || status === 'undecidable'
}

function languagesOf(
  request: EvaluationRequest,
  header: string | undefined,
): readonly LanguageRange[] {
  const { context } = request
  const asked = Object.hasOwn(context, 'language') ? context.language : undefined
  return [...readLanguages(typeof asked === 'string' ? asked : undefined), ...readLanguages(header)]
}
