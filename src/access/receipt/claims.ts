import { z } from 'zod'
import { VERDICTS } from '../trust-record.ts'

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

/**
 * The payload of a receipt. It holds no personal data: what a decision read is named by digests.
 * A digest of little that is unknown can be guessed, so a receipt is for those who may know of the
 * decision.
 */
export const receiptSchema = z.looseObject({
  iss: z.string(),
  /** Seconds of the epoch: `decided_at` without its fraction. RFC 7519 §4.1.6 */
  iat: z.int(),
  jti: z.string().regex(/^rcp_[a-z2-7]{26}$/),
  decision: z.boolean(),
  verdict: z.enum(VERDICTS),
  /** Codes of `context.reasons`, each once. Empty when it was granted. */
  reasons: z.array(z.string()),
  /** Whether the clauses decided, or were tried out only. */
  mode: z.literal('enforce'),
  decided_at: instant,
  /** Of the RFC 8785 form of `{subject, action, resource, context}` as they were evaluated. */
  request_digest: digest,
  policy_hash: digest,
  reference_values_hash: digest,
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
