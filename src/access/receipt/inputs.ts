import { z } from 'zod'
import type { AttestationClaims } from '../../appraisal/claims.ts'
import { isVouched } from '../../appraisal/hardware.ts'
import { nameDocument } from '../../base/document-hash.ts'
import { asAttestationPolicyHash } from '../../evidence/token/attestation-token.ts'
import type { Directory, EntityProperties } from '../directory.ts'
import { type EvaluationRequest, isMembers } from '../evaluation-request.ts'
import type { RecordedAttestation, TrustRecord } from '../trust-record.ts'
import { instant } from './claims.ts'

const deviceSchema = z.strictObject({
  device_id: z.string(),
  key_kind: z.enum(['aik', 'cnf', 'tpm']),
  enrolment: z.enum(['admitted', 'pending']),
  quarantined: z.boolean(),
  owner: z.string().nullable(),
  entra_device_id: z.string().nullable(),
  labels: z.array(z.string()),
  ring: z.int().min(0).max(99),
  created_at: instant,
})

const evidenceSchema = z.strictObject({
  attestation_id: z.string(),
  attested_at: instant,
  valid_until: instant,
  issuer: z.string(),
  policy_hash: z.string(),
  claims: z.record(z.string(), z.unknown()),
})

const documentSchema = z.record(z.string(), z.unknown())

/** Null-safe for members of any name, as properties have them. */
const propertiesSchema = z.custom<EntityProperties>(isMembers, 'must be an object')

const directorySchema = z.strictObject({
  subject: propertiesSchema.optional(),
  resource: propertiesSchema.optional(),
  action: propertiesSchema.optional(),
})

/**
 * All that a decision was made from, as it is exported for whoever recomputes it. Documents are
 * those that the receipt names by hash; `request` is the AuthZEN question as it was sent (of a
 * batch: one question with its defaults).
 */
export const inputsSchema = z.strictObject({
  device: deviceSchema.nullable(),
  evidence: evidenceSchema.nullable(),
  policy: documentSchema,
  reference_values: documentSchema,
  request: documentSchema,
  /** What the entity directory said where the request says nothing; absent where it was not asked. */
  directory: directorySchema.optional(),
})

export type ReceiptInputs = z.infer<typeof inputsSchema>

/** What a decision reads of a device beside its attestation: verdict and clauses, nothing else. */
export type DeviceInput = z.infer<typeof deviceSchema>

/** What a decision reads of the entity directory: the properties of what the question is about. */
export type DirectoryInput = z.infer<typeof directorySchema>

/** What a decision reads of the last accepted attestation. */
export type EvidenceInput = z.infer<typeof evidenceSchema>

export function describeDevice(record: TrustRecord): DeviceInput {
  return {
    device_id: record.deviceId,
    key_kind: record.keyKind,
    enrolment: record.enrolment,
    quarantined: record.quarantine !== null,
    owner: record.owner,
    entra_device_id: record.entraDeviceId,
    labels: [...record.labels],
    ring: record.ring,
    created_at: record.createdAt.toISOString(),
  }
}

export function describeEvidence(
  attestation: Omit<RecordedAttestation, 'confirmationKey'>,
): EvidenceInput {
  return {
    attestation_id: attestation.attestationId,
    attested_at: attestation.attestedAt.toISOString(),
    valid_until: attestation.validUntil.toISOString(),
    issuer: attestation.issuer,
    policy_hash: attestation.attestationPolicyHash,
    claims: attestation.claims,
  }
}

/**
 * The record that `describeDevice` and `describeEvidence` told of, as far as a decision reads it. What
 * changes with each attestation is `told` by the receipt itself.
 */
export function recordOfInputs(
  device: DeviceInput,
  evidence: EvidenceInput | null,
  told: {
    readonly firstFailedAt: TrustRecord['firstFailedAt']
    readonly graces: TrustRecord['graces']
    readonly key: { readonly jkt: string; readonly generation: number } | undefined
  },
): TrustRecord {
  return {
    deviceId: device.device_id,
    keyKind: device.key_kind,
    enrolment: device.enrolment,
    quarantine: device.quarantined ? { at: new Date(0), by: '', reason: '' } : null,
    owner: device.owner,
    entraDeviceId: device.entra_device_id,
    labels: device.labels,
    ring: device.ring,
    createdAt: new Date(device.created_at),
    firstFailedAt: told.firstFailedAt,
    graces: told.graces,
    generation: told.key?.generation ?? 0,
    vouched: evidence !== null && isVouched(evidence.claims as AttestationClaims),
    attestation: evidence && {
      attestationId: evidence.attestation_id,
      attestedAt: new Date(evidence.attested_at),
      validUntil: new Date(evidence.valid_until),
      issuer: evidence.issuer,
      attestationPolicyHash: asAttestationPolicyHash(evidence.policy_hash),
      confirmationKey: told.key?.jkt ?? '',
      claims: evidence.claims as AttestationClaims,
    },
  }
}

/** SHA-256 of the RFC 8785 form; `undefined` for what that form cannot write. */
export function digestInput(input: object): string | undefined {
  return nameDocument(input)?.hash
}

/** The digest of what the directory said; `undefined` where it was not asked. */
export function digestDirectory(directory: Directory | undefined): string | undefined {
  return directory === undefined ? undefined : digestInput(directory)
}

/** The digest of a question as it was sent, with the members that it may leave out. */
export function digestRequest(request: EvaluationRequest): string | undefined {
  const { subject, action, resource, context } = request
  return digestInput({ subject, action, resource, context })
}
