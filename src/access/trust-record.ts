import type { AttestationClaims } from '../appraisal/claims.ts'
import type { AttestationPolicyHash } from '../evidence/token/attestation-token.ts'

/**
 * What is known about one device: who it is, and what its last accepted attestation proved.
 * Written by one call of the store when an attestation is accepted, read by every decision.
 */
export type TrustRecord = {
  /** `dev_` and the base32 of what names the device: of its TPM, or the SHA-256 of its key. */
  readonly deviceId: string
  /**
   * What names the device: its TPM where evidence says which one, else the TPM attestation key, or
   * the `cnf` key where the provider's policy names no other.
   */
  readonly keyKind: DeviceKeyKind
  /** `pending` until an administrator admits the device (enrolment mode `approval`). */
  readonly enrolment: Enrolment
  readonly owner: string | null
  readonly entraDeviceId: string | null
  readonly labels: readonly string[]
  /** Stable hash bucket, 0 to 99. */
  readonly ring: number
  readonly quarantine: Quarantine | null
  /** `null` for a device that was listed or failed, but never attested with success. */
  readonly attestation: RecordedAttestation | null
  /** Clause id to ISO 8601: since when the device fails it without a break. */
  readonly firstFailedAt: Readonly<Record<string, string>>
  /** Clause id to the grace that the device has begun to use up, of clauses that give one. */
  readonly graces: Readonly<Record<string, NotedGrace>>
  /** A device token counts while it is of this generation and of the key that was proven last. */
  readonly generation: number
  /** Whether the last accepted attestation proved its hardware: `isVouched`. */
  readonly vouched: boolean
  readonly createdAt: Date
}

/** Noted by each attestation while a clause denies; both ISO 8601. */
export type NotedGrace = {
  /** When it began. */
  readonly since: string
  /** Since when the clause does not fail any more: a device that fails it again soon goes on with it. */
  readonly met?: string
}

export type DeviceKeyKind = 'aik' | 'cnf' | 'tpm'

export type Enrolment = 'admitted' | 'pending'

/** An administrator's word; no attestation ends it. */
export type Quarantine = { readonly at: Date; readonly by: string; readonly reason: string }

/** The last accepted attestation. `claims` come from a verified token and are not yet appraised. */
export type RecordedAttestation = {
  readonly attestationId: string
  readonly attestedAt: Date
  /** Past this time the device is `stale`. */
  readonly validUntil: Date
  /** `iss` of the attestation token: which verifier spoke. */
  readonly issuer: string
  readonly attestationPolicyHash: AttestationPolicyHash
  /** RFC 7638 thumbprint of the proven `cnf` key. */
  readonly confirmationKey: string
  readonly claims: AttestationClaims
}

/** A verdict says why it is what it is; infrastructure failures never write one. */
export const VERDICTS = ['trusted', 'untrusted', 'stale', 'unknown', 'quarantined'] as const

export type Verdict = (typeof VERDICTS)[number]
