import type { AttestationResult } from '../appraisal/appraise.ts'
import {
  type AttestationClaims,
  CLAIM_NAMES,
  CLAIMS,
  SECURE_BOOT_VARIABLES,
  type SecureBootKeys,
} from '../appraisal/claims.ts'

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
  readonly policyHash: string
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

/**
 * A class whose instances show `source` through getters on the prototype. CEL resolves a member by
 * the class of its object and asks for nothing that is not declared, so only what an expression
 * reads is converted, and building the input of an evaluation copies nothing.
 */
function defineView<S>(getters: Getters<S>): new (source: S) => object {
  class View {
    readonly source: S
    constructor(source: S) {
      this.source = source
    }
  }
  for (const [name, read] of Object.entries(getters)) {
    const get = function (this: View) {
      return read(this.source)
    }
    Object.defineProperty(View.prototype, name, { get })
  }
  return View
}

const SecureBootKeysView = defineView<SecureBootKeys>(
  Object.fromEntries(
    SECURE_BOOT_VARIABLES.map((name) => [name, (keys: SecureBootKeys) => keys[name]]),
  ),
)

const TrustVectorView = defineView<AttestationResult>({
  instance_identity: ({ vector }) => toInt(vector.instanceIdentity),
  configuration: ({ vector }) => toInt(vector.configuration),
  executables: ({ vector }) => toInt(vector.executables),
  hardware: ({ vector }) => toInt(vector.hardware),
})

const EnclaveView = defineView<AttestationResult>({
  listed: ({ enclave }) => enclave.listed,
  name: ({ enclave }) => enclave.name,
  svn_current: ({ enclave }) => enclave.svnCurrent,
  debuggable: ({ enclave }) => enclave.debuggable,
})

const claimGetters: Getters<AttestationFacts> = Object.fromEntries(
  CLAIM_NAMES.map((name) => {
    const kind = CLAIMS[name].kind
    if (kind === 'int') {
      return [name, ({ claims }: AttestationFacts) => toInt(claims[name] as number | undefined)]
    }
    if (kind === 'secureBootKeys') {
      const read = ({ claims: { secureBootKeys } }: AttestationFacts) =>
        secureBootKeys && new SecureBootKeysView(secureBootKeys)
      return [name, read]
    }
    return [name, ({ claims }: AttestationFacts) => claims[name]]
  }),
)

const AttestationView = defineView<AttestationFacts>({
  ...claimGetters,
  // No claim is no value, so that `status != "contraindicated"` is not met by saying nothing.
  status: ({ result }) => (result.status === 'none' ? undefined : result.status),
  vector: ({ result }) => new TrustVectorView(result),
  enclave: ({ result }) => new EnclaveView(result),
  issuer: (attestation) => attestation.issuer,
  policy_hash: (attestation) => attestation.policyHash,
  attested_at: (attestation) => attestation.attestedAt,
  valid_until: (attestation) => attestation.validUntil,
})

const DeviceView = defineView<DeviceFacts>({
  id: (device) => device.deviceId,
  key_kind: (device) => device.keyKind,
  enrolment: (device) => device.enrolment,
  owner: (device) => device.owner ?? undefined,
  entra_device_id: (device) => device.entraDeviceId ?? undefined,
  labels: (device) => device.labels,
  ring: (device) => BigInt(device.ring),
  created_at: (device) => device.createdAt,
})

const EntityView = defineView<EntityFacts>({
  type: (entity) => entity.type,
  id: (entity) => entity.id,
  properties: (entity) => entity.properties,
})

const ActionView = defineView<ActionFacts>({
  name: (action) => action.name,
  properties: (action) => action.properties,
})

/** The class behind each declared type that is not one of CEL's own. */
export const VIEWS: Readonly<Record<string, new (source: never) => object>> = {
  Device: DeviceView,
  Attestation: AttestationView,
  SecureBootKeys: SecureBootKeysView,
  TrustVector: TrustVectorView,
  Enclave: EnclaveView,
  Entity: EntityView,
  Action: ActionView,
}

/** The variables of one evaluation. An absent variable is an error to whoever reads it. */
export type Variables = Record<string, unknown>

export function bindVariables({ device, attestation, request, now }: PolicyInput): Variables {
  const variables: Variables = { now }
  if (device !== undefined) variables.device = new DeviceView(device)
  if (attestation !== undefined) variables.attestation = new AttestationView(attestation)
  if (request === undefined) return variables
  variables.subject = new EntityView(request.subject)
  variables.resource = new EntityView(request.resource)
  variables.action = new ActionView(request.action)
  variables.context = request.context
  return variables
}

function toInt(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(value)
}
