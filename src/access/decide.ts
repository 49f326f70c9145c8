import type { CompiledPolicy } from '../policy/document/compile.ts'
import type { ClauseOutcome } from '../policy/language/evaluate.ts'
import { assess, type Documents } from './assess.ts'
import type { EvaluationRequest } from './authzen.ts'
import type { DeviceNameFailure } from './device-of-request.ts'
import {
  checkTokenStanding,
  type TokenStandingFailure,
  type VerifiedDeviceToken,
} from './device-token.ts'
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

/**
 * Whether a device may do what a request asks: when it is trusted, and no enforced request clause
 * fails or is undecidable.
 */
export function decide(
  input: Documents & {
    /** `null` when no such device is on record. */
    readonly record: TrustRecord | null
    readonly request: EvaluationRequest
    /** The token that the device is named by, if it is by one. */
    readonly token?: VerifiedDeviceToken | undefined
    /** What may keep access open although something is wrong. */
    readonly reliefs?: Reliefs | undefined
    readonly now: Date
    /** An Accept-Language value; `context.language` of the request goes before it. */
    readonly language?: string | undefined
  },
): Decision {
  const { record, request, token, policy, referenceValues, reliefs, now } = input
  if (record === null) return denyWithoutDevice({ ...input, reason: 'device_unknown' })
  const standing = token && checkTokenStanding(token, record)
  if (standing?.ok === false) return denyWithoutDevice({ ...input, ...standing.failure })

  const assessment = assess({ policy, referenceValues, record, request, reliefs, now })
  const { verdict, clauseOutcomes, relief } = assessment
  const reasons =
    verdict === 'trusted' ? blockingReasons(clauseOutcomes, 'request') : assessment.reasons
  const { attestation } = record
  const context: DecisionContext = {
    verdict,
    reasons: [],
    reported: reportedClauses(clauseOutcomes),
    policy: policy.hash,
    reference_values: referenceValues.hash,
    device_id: record.deviceId,
    ...(attestation !== null && {
      attestation_id: attestation.attestationId,
      attested_at: attestation.attestedAt.toISOString(),
      valid_until: attestation.validUntil.toISOString(),
      cnf: { jkt: attestation.confirmationKey },
    }),
    ...(relief !== undefined && { relief: relief.map(describeRelief) }),
  }
  if (reasons.length === 0) return { decision: true, context }
  const languages = languagesOf(request, input.language)
  return deny(context, { reasons, told: describeAll(reasons, policy, languages) })
}

/** The answer to a request that names no device, one that nobody knows, or one by a token of before. */
export function denyWithoutDevice(
  input: Documents & {
    readonly reason: DeviceNameFailure['reason'] | TokenStandingFailure['reason'] | 'device_unknown'
    readonly request: EvaluationRequest
    readonly language?: string | undefined
  },
): Decision {
  const { reason, request, policy, referenceValues } = input
  const told = [describeBuiltIn(reason, languagesOf(request, input.language))]
  const context: DecisionContext = {
    verdict: 'unknown',
    reasons: [],
    reported: [],
    policy: policy.hash,
    reference_values: referenceValues.hash,
  }
  return deny(context, { reasons: [{ code: reason }], told })
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
