import {
  CLAIM_NAMES,
  CLAIMS,
  type ClaimKind,
  type MeasuredAt,
  SECURE_BOOT_VARIABLES,
} from '../../appraisal/claims.ts'

/** One member that an expression can read. */
export type FieldDeclaration = {
  /** Its CEL type, or the name of another declared type. */
  readonly type: string
  readonly meaning: string
  /** Absent for what is not measured on the device. */
  readonly measuredAt?: MeasuredAt
}

export type TypeFields = Readonly<Record<string, FieldDeclaration>>

export const TIMESTAMP = 'google.protobuf.Timestamp'
/** JSON as a caller sends it. Its numbers are doubles, as CEL has it: langdef, "JSON Data Conversion". */
export const DYNAMIC_MAP = 'map<string, dyn>'

const CEL_TYPE_OF_CLAIM: Readonly<Record<ClaimKind, string>> = {
  bool: 'bool',
  int: 'int',
  text: 'string',
  texts: 'list<string>',
  secureBootKeys: 'SecureBootKeys',
}

const claimFields: TypeFields = Object.fromEntries(
  CLAIM_NAMES.map((name) => {
    const { kind, measuredAt, meaning } = CLAIMS[name]
    return [name, { type: CEL_TYPE_OF_CLAIM[kind], measuredAt, meaning }]
  }),
)

/**
 * The types of a policy's variables: the one declaration behind type checks, suggestions and docs.
 * A member without a value makes the clause that reads it undecidable.
 */
export const POLICY_TYPES: Readonly<Record<string, TypeFields>> = {
  Device: {
    id: { type: 'string', meaning: 'Id of the device: `dev_` and a hash of its key.' },
    key_kind: {
      type: 'string',
      meaning: '`tpm`, `aik` (a TPM attestation key) or `cnf`: what names the device.',
    },
    enrolment: { type: 'string', meaning: '`admitted` or `pending`.' },
    owner: { type: 'string', meaning: 'Owner, where an administrator set one.' },
    entra_device_id: { type: 'string', meaning: 'Entra device id, where one is known.' },
    labels: { type: 'list<string>', meaning: 'Labels that administrators gave.' },
    ring: { type: 'int', meaning: 'Stable hash bucket, 0 to 99.' },
    created_at: { type: TIMESTAMP, meaning: 'When the device was first seen.' },
  },
  Attestation: {
    ...claimFields,
    status: {
      type: 'string',
      measuredAt: 'boot',
      meaning: 'EAR status: affirming, warning or contraindicated; absent when none.',
    },
    vector: { type: 'TrustVector', measuredAt: 'boot', meaning: 'AR4SI trustworthiness vector.' },
    enclave: { type: 'Enclave', measuredAt: 'now', meaning: 'The enclave and what is listed.' },
    issuer: { type: 'string', meaning: 'Which verifier spoke.' },
    policy_hash: { type: 'string', meaning: "Hash of the verifier's policy." },
    attested_at: { type: TIMESTAMP, meaning: 'When the attestation was accepted.' },
    valid_until: { type: TIMESTAMP, meaning: 'When the attestation ends to count.' },
  },
  SecureBootKeys: Object.fromEntries(
    SECURE_BOOT_VARIABLES.map((name) => [
      name,
      { type: 'string', meaning: `base64url SHA-256 of the variable ${name}.` },
    ]),
  ),
  TrustVector: {
    instance_identity: { type: 'int', meaning: 'Whether the enclave is a known one.' },
    configuration: { type: 'int', meaning: 'Whether the device is set up well.' },
    executables: { type: 'int', meaning: 'Whether only approved code ran.' },
    hardware: { type: 'int', meaning: 'Whether the key is rooted in a known TPM.' },
  },
  Enclave: {
    listed: { type: 'bool', meaning: 'The reference values name this enclave.' },
    name: { type: 'string', meaning: 'Name of the enclave in the reference values.' },
    svn_current: { type: 'bool', meaning: 'Its security versions reach the minimum.' },
    debuggable: { type: 'bool', meaning: 'Its memory is open to a debugger.' },
  },
  Entity: {
    type: { type: 'string', meaning: 'AuthZEN type.' },
    id: { type: 'string', meaning: 'AuthZEN id.' },
    properties: {
      type: DYNAMIC_MAP,
      meaning: 'What the caller says about it, or where that is nothing the entity directory.',
    },
  },
  Action: {
    name: { type: 'string', meaning: 'AuthZEN action name.' },
    properties: {
      type: DYNAMIC_MAP,
      meaning: 'What the caller says about it, or where that is nothing the entity directory.',
    },
  },
}

export type RootName = 'device' | 'attestation' | 'now' | RequestRoot
export type RequestRoot = 'subject' | 'resource' | 'action' | 'context'

export const POLICY_VARIABLES: Readonly<Record<RootName, string>> = {
  device: 'Device',
  attestation: 'Attestation',
  now: TIMESTAMP,
  subject: 'Entity',
  resource: 'Entity',
  action: 'Action',
  context: DYNAMIC_MAP,
}

/** What only a request can say. A clause that reads one of these takes part in decisions alone. */
export const REQUEST_ROOTS: ReadonlySet<RootName> = new Set<RootName>([
  'subject',
  'resource',
  'action',
  'context',
])

/** What only a device can say. */
export const EVIDENCE_ROOTS: ReadonlySet<RootName> = new Set<RootName>(['device', 'attestation'])

export function isRootName(name: string): name is RootName {
  return Object.hasOwn(POLICY_VARIABLES, name)
}

/** All values that a member can have, where these are few or bounded. */
export type KnownValues = {
  readonly texts?: readonly string[]
  /** Inclusive. */
  readonly range?: { readonly least: bigint; readonly most: bigint }
}

const KNOWN_VALUES: Readonly<Record<string, KnownValues>> = {
  'device.key_kind': { texts: ['aik', 'cnf', 'tpm'] },
  'device.enrolment': { texts: ['admitted', 'pending'] },
  'device.ring': { range: { least: 0n, most: 99n } },
  'attestation.status': { texts: ['affirming', 'warning', 'contraindicated'] },
}

/** By the path of the member: `device.ring`. */
export function knownValuesOf(path: string): KnownValues | undefined {
  return Object.hasOwn(KNOWN_VALUES, path) ? KNOWN_VALUES[path] : undefined
}
