import { appraise } from '../../appraisal/appraise.ts'
import {
  CLAIM_LABELS,
  type EarStatus,
  type TrustClaim,
  type TrustVector,
  worseOf,
} from '../../appraisal/trust-vector.ts'
import { VERSION } from '../../base/version.ts'
import type { Documents } from '../assess.ts'
import type { RecordedAttestation, Verdict } from '../trust-record.ts'

/** draft-ietf-rats-ear-04 §3; RFC 9711 §4.3.2 */
export const EAR_PROFILE = 'tag:ietf.org,2026:rats/ear#04'

/** RFC 9782 */
export const EAR_TYPE = 'eat+jwt'

/** What an EAR says of the device as one whole. The label means nothing (§3). */
const SUBMOD = 'device'

/**
 * What a verdict lets a result be at the best. `stale` has none: evidence that has ended is no result.
 */
export const TIER_OF: Readonly<Record<Exclude<Verdict, 'stale'>, EarStatus>> = {
  trusted: 'affirming',
  unknown: 'none',
  untrusted: 'contraindicated',
  quarantined: 'contraindicated',
}

/** An EAT Attestation Result of a device: what others sign and read (draft-ietf-rats-ear §3). */
export type EarClaims = {
  readonly eat_profile: typeof EAR_PROFILE
  readonly iss: string
  readonly sub: string
  readonly iat: number
  /** When the evidence ends. */
  readonly exp: number
  /** The key that the device proved: whoever hands the result in has to prove it (RFC 7800). */
  readonly cnf: { readonly jkt: string }
  readonly eat_nonce?: string
  readonly ear_status: EarStatus
  readonly ear_verifier_id: { readonly developer: string; readonly build: string }
  readonly submods: Readonly<Record<string, EarAppraisal>>
}

export type EarAppraisal = {
  readonly ear_status: EarStatus
  /** Claims that nothing is said of are absent; absent as a whole where there are none. */
  readonly ear_trustworthiness_vector?: Partial<Readonly<Record<TrustClaim, number>>>
  readonly ear_appraisal_policy_ids: readonly string[]
}

export type ResultInput = {
  readonly issuer: string
  readonly deviceId: string
  readonly attestation: RecordedAttestation
  /** What decides for the device, and by whose reference values its evidence is appraised. */
  readonly rules: Documents
  readonly verdict: Exclude<Verdict, 'stale'>
  /** Of the relying party, 8 to 88 characters. */
  readonly nonce?: string | undefined
  readonly now: Date
}

/**
 * The attestation result of a device for relying parties that speak RATS. Its status is the worse of what
 * the vector says and of what the verdict allows: never better than either, and `none` at best while
 * a claim of the vector is absent.
 */
export function describeResult(input: ResultInput): EarClaims {
  const { issuer, deviceId, attestation, rules, verdict, nonce, now } = input
  const { policy, referenceValues } = rules
  const { status, vector } = appraise({ claims: attestation.claims, referenceValues, now })
  const tier = worseOf(status, TIER_OF[verdict])
  const values = labelled(vector)
  const appraisal: EarAppraisal = {
    ear_status: tier,
    ...(Object.keys(values).length > 0 && { ear_trustworthiness_vector: values }),
    ear_appraisal_policy_ids: [
      `urn:countersign:policy:${policy.hash}`,
      `urn:countersign:reference-values:${referenceValues.hash}`,
    ],
  }
  return {
    eat_profile: EAR_PROFILE,
    iss: issuer,
    sub: deviceId,
    iat: toSeconds(now),
    exp: toSeconds(attestation.validUntil),
    cnf: { jkt: attestation.confirmationKey },
    ...(nonce !== undefined && { eat_nonce: nonce }),
    ear_status: tier,
    ear_verifier_id: { developer: issuer, build: `countersign ${VERSION}` },
    submods: { [SUBMOD]: appraisal },
  }
}

function labelled(vector: TrustVector): Partial<Record<TrustClaim, number>> {
  const said = Object.entries(CLAIM_LABELS).flatMap(([name, label]) => {
    const value = vector[name as keyof TrustVector]
    return value === undefined ? [] : [[label, value] as const]
  })
  return Object.fromEntries(said)
}

function toSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1000)
}
