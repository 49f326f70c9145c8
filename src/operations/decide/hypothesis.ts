import { z } from 'zod'
import {
  type AuthzenFailure,
  type EvaluationRequest,
  readRequest,
} from '../../access/evaluation-request.ts'
import { MAX_OWNER_CHARS } from '../../access/limits.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import { CLAIM_NAMES, CLAIMS } from '../../appraisal/claims.ts'
import { isVouched } from '../../appraisal/hardware.ts'
import { type ClaimsFailure, readAttestationClaims } from '../../appraisal/read-claims.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { asAttestationPolicyHash } from '../../evidence/token/attestation-token.ts'
import { suggestName } from '../../policy/language/suggest.ts'
import { BUILT_IN_POLICY_HASH } from '../../verifier/built-in-policy.ts'

const time = z.iso.datetime()

/** What is on record of a device that nobody has to have; what is left out is as of most devices. */
export const hypotheticalDeviceSchema = z.strictObject({
  id: z.string().min(1).max(128).optional(),
  key_kind: z.enum(['tpm', 'aik', 'cnf']).optional(),
  enrolment: z.enum(['admitted', 'pending']).optional(),
  owner: z.string().max(MAX_OWNER_CHARS).nullable().optional(),
  entra_device_id: z.string().max(64).nullable().optional(),
  labels: z.array(z.string().min(1).max(64)).max(64).optional(),
  ring: z.int().min(0).max(99).optional(),
  created_at: time.optional(),
  quarantined: z.boolean().optional(),
})

/** The evidence that it would have attested: claims as in a token, and `null` for what it has not. */
export const hypotheticalEvidence = {
  claims: z.record(z.string().max(64), z.unknown()).optional(),
  issuer: z.string().min(1).max(512).optional(),
  policy_hash: z.string().min(1).max(64).optional(),
  attested_at: time.optional(),
  valid_until: time.optional(),
  /** Clause id to the time since when the device fails it, for the grace of that clause. */
  failing_since: z.record(z.string().max(128), time).optional(),
}

const entity = z.strictObject({
  type: z.string(),
  id: z.string(),
  properties: z.record(z.string(), z.unknown()).optional(),
})

/** An AuthZEN question; what is left out is of no consequence. */
export const hypotheticalQuestionSchema = z.strictObject({
  subject: entity.optional(),
  action: z
    .strictObject({ name: z.string(), properties: z.record(z.string(), z.unknown()).optional() })
    .optional(),
  resource: entity.optional(),
  context: z.record(z.string(), z.unknown()).optional(),
})

export type Hypothesis = z.infer<z.ZodObject<typeof hypotheticalEvidence>> & {
  readonly device?: z.infer<typeof hypotheticalDeviceSchema> | undefined
}

export const HYPOTHESIS_REASONS = ['claim_unknown'] as const

export type HypothesisFailure =
  | {
      readonly reason: (typeof HYPOTHESIS_REASONS)[number]
      readonly claim: string
      readonly suggestion: string | undefined
    }
  | ClaimsFailure

const HOUR_MS = 3_600_000
/** Without another word it attested an hour ago, and that counts for so long. */
const VALIDITY_MS = 8 * HOUR_MS

const KNOWN: readonly string[] = CLAIM_NAMES.flatMap((name) => [
  name,
  ...(CLAIMS[name].aliases ?? []),
])

/**
 * The trust record that a device would have that attested these claims: as good as if they came from
 * a verified token of the built-in verifier, unless another is named. Nothing is stored.
 */
export function recordOfHypothesis(
  hypothesis: Hypothesis,
  now: Date,
): Result<TrustRecord, HypothesisFailure> {
  const { device = {}, failing_since: firstFailedAt = {} } = hypothesis
  const given = Object.entries(hypothesis.claims ?? {}).filter(([, value]) => value !== null)
  const unknown = given.find(([name]) => !KNOWN.includes(name))
  if (unknown !== undefined) {
    const [claim] = unknown
    return err({ reason: 'claim_unknown', claim, suggestion: suggestName(claim, KNOWN) })
  }
  const claims = readAttestationClaims(Object.fromEntries(given))
  if (!claims.ok) return claims
  const attestedAt = timeOf(hypothesis.attested_at) ?? new Date(now.getTime() - HOUR_MS)
  const validUntil = timeOf(hypothesis.valid_until) ?? new Date(attestedAt.getTime() + VALIDITY_MS)
  const { issuer = 'built-in', policy_hash: policyHash } = hypothesis
  return ok({
    deviceId: device.id ?? 'dev_hypothetical',
    keyKind: device.key_kind ?? 'tpm',
    enrolment: device.enrolment ?? 'admitted',
    owner: device.owner ?? null,
    entraDeviceId: device.entra_device_id ?? null,
    labels: device.labels ?? [],
    ring: device.ring ?? 0,
    quarantine: device.quarantined === true ? { at: now, by: 'nobody', reason: 'supposed' } : null,
    attestation: {
      attestationId: 'att_hypothetical',
      ...{ attestedAt, validUntil, issuer },
      attestationPolicyHash:
        policyHash === undefined ? BUILT_IN_POLICY_HASH : asAttestationPolicyHash(policyHash),
      confirmationKey: '',
      claims: claims.value,
    },
    firstFailedAt,
    graces: {},
    generation: 0,
    vouched: isVouched(claims.value),
    createdAt: timeOf(device.created_at) ?? attestedAt,
  })
}

function timeOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text)
}

const ANYBODY = { type: 'user', id: 'any' }

/**
 * A question whose action or resource does not matter names some, and its subject is the device; where there
 * is none, anybody.
 */
export function completeQuestion(
  asked: z.infer<typeof hypotheticalQuestionSchema>,
  deviceId: string | undefined,
): Result<EvaluationRequest, AuthzenFailure> {
  const {
    subject = deviceId === undefined ? ANYBODY : { type: 'device', id: deviceId },
    action = { name: 'access' },
    resource = { type: 'any', id: 'any' },
    context = {},
  } = asked
  return readRequest({ subject, action, resource, context })
}

/** For whoever wrote the claims. */
export function describeHypothesisFailure(failure: HypothesisFailure): string {
  switch (failure.reason) {
    case 'claim_unknown': {
      const { claim, suggestion } = failure
      const meant = suggestion === undefined ? '' : `: did you mean ${suggestion}?`
      return `there is no claim ${claim}${meant}`
    }
    case 'claims_wrong_type':
      return `the claim ${failure.claim} has the wrong type`
    case 'claims_over_limit':
      return `the claim ${failure.claim} is too large`
    case 'claims_contradictory':
      return `the claim ${failure.claim} is given twice and otherwise`
  }
}
