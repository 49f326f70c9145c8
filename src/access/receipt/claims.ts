import { z } from 'zod'
import { isNumericDate } from '../../base/numeric-date.ts'
import type { Reliefs } from '../relief.ts'
import { type TrustRecord, VERDICTS } from '../trust-record.ts'

/** SHA-256 in 64 lower-case hexadecimal digits. */
const digest = z.string().regex(/^[0-9a-f]{64}$/)

/** ISO 8601 in UTC with milliseconds, and in no other spelling. */
export const instant = z.string().refine((text) => {
  const time = new Date(text)
  return !Number.isNaN(time.getTime()) && time.toISOString() === text
}, 'must be a time such as 2026-03-02T08:00:00.000Z')

const clauseResult = z.strictObject({
  id: z.string(),
  status: z.enum(['pass', 'fail', 'undecidable', 'not_applicable']),
  /** Of an undecidable clause, in words that hold no value of the request or of the record. */
  cause: z.string().optional(),
})

const causeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('clause'), clause: z.string() }),
  z.strictObject({ kind: z.literal('policy_not_pinned'), issuer: z.string() }),
  z.strictObject({ kind: z.literal('anchor_not_listed'), anchor: z.string() }),
  z.strictObject({ kind: z.literal('hardware_unproven') }),
  z.strictObject({ kind: z.literal('stale'), issuer: z.string() }),
])

const reliefsSchema = z.strictObject({
  policy_since: instant,
  /** Absent in receipts of versions that did not ask for it. */
  reference_values_since: instant.optional(),
  outage_grace_seconds: z.number(),
  allowed_until: instant.nullable(),
  /** Clause id to the time since which the device fails it: it changes with each attestation. */
  first_failed_at: z.record(z.string(), instant),
  /** Clause id to the grace that the device has begun to use up; absent where there is none. */
  graces: z
    .record(z.string(), z.strictObject({ since: instant, met: instant.optional() }))
    .optional(),
  holds: z.array(z.strictObject({ cause: causeSchema, covers: instant, until: instant })),
})

const reliefSchema = z.strictObject({
  kind: z.enum(['grace', 'hold', 'outage_grace', 'allowance']),
  reason: z.string().optional(),
  until: instant,
})

const rolloutSchema = z.strictObject({
  rollout_id: z.string(),
  kind: z.enum(['policy', 'reference-values']),
  pass: z.enum(['audit', 'enforce']),
  stage: z.int(),
})

export type ReliefsClaim = z.infer<typeof reliefsSchema>

export function describeReliefs(
  reliefs: Reliefs,
  { firstFailedAt, graces }: Pick<TrustRecord, 'firstFailedAt' | 'graces'>,
): ReliefsClaim {
  const { policySince, referenceValuesSince, outageGraceMs, allowedUntil, holds } = reliefs
  return {
    policy_since: policySince.toISOString(),
    ...(referenceValuesSince && { reference_values_since: referenceValuesSince.toISOString() }),
    outage_grace_seconds: outageGraceMs / 1000,
    allowed_until: allowedUntil?.toISOString() ?? null,
    first_failed_at: { ...firstFailedAt },
    ...(Object.keys(graces).length > 0 && { graces: { ...graces } }),
    holds: holds.map(({ cause, covers, until }) => {
      return { cause, covers: covers.toISOString(), until: until.toISOString() }
    }),
  }
}

/** The reliefs that `describeReliefs` told of. */
export function reliefsOfClaim(claim: ReliefsClaim): Reliefs {
  return {
    policySince: new Date(claim.policy_since),
    ...(claim.reference_values_since !== undefined && {
      referenceValuesSince: new Date(claim.reference_values_since),
    }),
    outageGraceMs: claim.outage_grace_seconds * 1000,
    allowedUntil: claim.allowed_until === null ? null : new Date(claim.allowed_until),
    holds: claim.holds.map(({ cause, covers, until }) => {
      return { cause, covers: new Date(covers), until: new Date(until) }
    }),
  }
}

export function gracesOfClaim({ graces = {} }: ReliefsClaim): TrustRecord['graces'] {
  const noted = Object.entries(graces).map(([clause, { since, met }]) => {
    return [clause, met === undefined ? { since } : { since, met }]
  })
  return Object.fromEntries(noted)
}

/**
 * The payload of a receipt. It holds no personal data: what a decision read is named by digests.
 * A digest of little that is unknown can be guessed, so a receipt is for those who may know of the
 * decision.
 */
export const receiptSchema = z.looseObject({
  iss: z.string(),
  /** NumericDate (RFC 7519 §2); ours is `decided_at` without its fraction. */
  iat: z.number().refine(isNumericDate),
  jti: z.string().regex(/^rcp_[a-z2-7]{26}$/),
  decision: z.boolean(),
  verdict: z.enum(VERDICTS),
  /** Codes of `context.reasons`, each once. Empty when it was granted. */
  reasons: z.array(z.string()),
  /** The clauses decided. A document that is only tried out is among `rollouts`. */
  mode: z.literal('enforce'),
  decided_at: instant,
  /**
   * What could keep access open although something is wrong, at that moment. Like the time of the
   * decision it is the issuer's word, and what follows from it can be computed again.
   */
  reliefs: reliefsSchema,
  /** What of it did. */
  relief: z.array(reliefSchema),
  /** Rollouts that the device took part in. In pass `audit` the new document did not decide. */
  rollouts: z.array(rolloutSchema),
  /** Of the RFC 8785 form of `{subject, action, resource, context}` as the caller sent them. */
  request_digest: digest,
  /**
   * Of the RFC 8785 form of a `DirectoryInput`; absent where the entity directory was not asked, as
   * where the policy reads nothing of it.
   */
  directory_digest: digest.optional(),
  policy_hash: digest,
  reference_values_hash: digest,
  /** Whether evidence counted only if its hardware was vouched for: documents and configuration said so. */
  hardware_required: z.boolean(),
  /** In the order of the policy; empty when there was no attestation to hold against it. */
  clauses: z.array(clauseResult),
  // What follows is absent without a device on record, from `attestation_id` on without an attestation.
  device_id: z.string().optional(),
  /** The stable hash bucket of the device, 0 to 99. */
  ring: z.int().optional(),
  /** Of the RFC 8785 form of a `DeviceInput`. */
  device_digest: digest.optional(),
  attestation_id: z.string().optional(),
  attested_at: instant.optional(),
  valid_until: instant.optional(),
  /** `iss` of the attestation token. */
  verifier: z.string().optional(),
  /**
   * The key that the device had proven last, and its generation: a device token of another one does
   * not count. Like the reliefs it is the issuer's word.
   */
  device_key: z.strictObject({ jkt: z.string(), generation: z.int() }).optional(),
  /** Of the RFC 8785 form of an `EvidenceInput`. */
  evidence_digest: digest.optional(),
})

/** Known members of a receipt. Others that its issuer signed are kept and mean nothing to us. */
export type ReceiptClaims = {
  readonly [M in keyof Known]: Known[M]
}

type Known = {
  [M in keyof z.infer<typeof receiptSchema> as string extends M ? never : M]: z.infer<
    typeof receiptSchema
  >[M]
}

export type ClauseResult = z.infer<typeof clauseResult>
