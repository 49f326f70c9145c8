import type { AttestationResult } from '../../appraisal/appraise.ts'
import {
  type AttestationClaims,
  CLAIM_NAMES,
  SECURE_BOOT_VARIABLES,
  type SecureBootKeys,
} from '../../appraisal/claims.ts'
import type { AttestationPolicyHash } from '../../evidence/token/attestation-token.ts'

/** What a policy is evaluated over. What is absent makes the clauses that read it undecidable. */
export type PolicyInput = {
  readonly device?: DeviceFacts
  readonly attestation?: AttestationFacts
  readonly request?: RequestFacts
  readonly now: Date
}

/** What is on record about a device beside its attestation. */
export type DeviceFacts = {
  readonly deviceId: string
  readonly keyKind: string
  readonly enrolment: string
  readonly owner: string | null
  readonly entraDeviceId: string | null
  readonly labels: readonly string[]
  readonly ring: number
  readonly createdAt: Date
}

export type AttestationFacts = {
  readonly claims: AttestationClaims
  readonly result: AttestationResult
  readonly issuer: string
  readonly attestationPolicyHash: AttestationPolicyHash
  readonly attestedAt: Date
  readonly validUntil: Date
}

/** An AuthZEN request: four things that the caller says, checked for shape and size only. */
export type RequestFacts = {
  readonly subject: EntityFacts
  readonly resource: EntityFacts
  readonly action: ActionFacts
  readonly context: Readonly<Record<string, unknown>>
}

export type EntityFacts = {
  readonly type: string
  readonly id: string
  readonly properties: Readonly<Record<string, unknown>>
}

export type ActionFacts = {
  readonly name: string
  readonly properties: Readonly<Record<string, unknown>>
}

type Getters<S> = Readonly<Record<string, (source: S) => unknown>>

const SECURE_BOOT_KEYS: Getters<SecureBootKeys> = Object.fromEntries(
  SECURE_BOOT_VARIABLES.map((name) => [name, (keys: SecureBootKeys) => keys[name]]),
)

const TRUST_VECTOR: Getters<AttestationResult> = {
  instance_identity: ({ vector }) => vector.instanceIdentity,
  configuration: ({ vector }) => vector.configuration,
  executables: ({ vector }) => vector.executables,
  hardware: ({ vector }) => vector.hardware,
}

const ENCLAVE: Getters<AttestationResult> = {
  listed: ({ enclave }) => enclave.listed,
  name: ({ enclave }) => enclave.name,
  svn_current: ({ enclave }) => enclave.svnCurrent,
  debuggable: ({ enclave }) => enclave.debuggable,
}

const ATTESTATION: Getters<AttestationFacts> = {
  ...Object.fromEntries(
    CLAIM_NAMES.map((name) => [name, ({ claims }: AttestationFacts) => claims[name]]),
  ),
  // No claim is no value, so that `status != "contraindicated"` is not met by saying nothing.
  status: ({ result }) => (result.status === 'none' ? undefined : result.status),
  vector: ({ result }) => result,
  enclave: ({ result }) => result,
  issuer: (attestation) => attestation.issuer,
  policy_hash: (attestation) => attestation.attestationPolicyHash,
  attested_at: (attestation) => attestation.attestedAt,
  valid_until: (attestation) => attestation.validUntil,
}

const DEVICE: Getters<DeviceFacts> = {
  id: (device) => device.deviceId,
  key_kind: (device) => device.keyKind,
  enrolment: (device) => device.enrolment,
  owner: (device) => device.owner,
  entra_device_id: (device) => device.entraDeviceId,
  labels: (device) => device.labels,
  ring: (device) => device.ring,
  created_at: (device) => device.createdAt,
}

const ENTITY: Getters<EntityFacts> = {
  type: (entity) => entity.type,
  id: (entity) => entity.id,
  properties: (entity) => entity.properties,
}

const ACTION: Getters<ActionFacts> = {
  name: (action) => action.name,
  properties: (action) => action.properties,
}

/**
 * Where the members of each declared type stand. What they give is converted by the declared type,
 * so that a claim of another type than its own is no value; null and undefined are none either.
 */
export const MEMBERS: Readonly<Record<string, Getters<never>>> = {
  Device: DEVICE,
  Attestation: ATTESTATION,
  SecureBootKeys: SECURE_BOOT_KEYS,
  TrustVector: TRUST_VECTOR,
  Enclave: ENCLAVE,
  Entity: ENTITY,
  Action: ACTION,
}

/** The variables of one evaluation. An absent variable is an error to whoever reads it. */
export type Variables = Readonly<Record<string, unknown>>

/** Nothing is copied: an evaluation converts what it reads, when it reads it. */
export function bindVariables({ device, attestation, request, now }: PolicyInput): Variables {
  const { subject, resource, action, context } = request ?? {}
  return { device, attestation, now, subject, resource, action, context }
}
