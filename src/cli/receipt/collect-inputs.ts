import { type Directory, directoryOf, entitiesOf } from '../../access/directory.ts'
import { parseEvaluation } from '../../access/evaluation-request.ts'
import type { ReceiptClaims } from '../../access/receipt/claims.ts'
import {
  type DeviceInput,
  describeDevice,
  describeEvidence,
  digestDirectory,
  digestInput,
  type EvidenceInput,
  type ReceiptInputs,
} from '../../access/receipt/inputs.ts'
import type { RecordedAttestation, TrustRecord } from '../../access/trust-record.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { compilePolicy } from '../../policy/document/compile.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import { PAGE_ROWS_MOST } from '../../store/devices/device-reads.ts'
import type { Store } from '../../store/store.ts'

export const COLLECTION_REASONS = ['receipt_input_not_stored', 'receipt_input_changed'] as const

/** Why what a decision was made from cannot be had from the database any more. */
export type CollectionFailure = {
  readonly reason: (typeof COLLECTION_REASONS)[number]
  readonly input: 'device' | 'evidence' | 'policy' | 'reference_values' | 'directory'
  /** Its id or hash in the receipt. */
  readonly name: string
}

/** The question itself is kept by who asked it. */
export type StoredInputs = Omit<ReceiptInputs, 'request'>

type Collected<T> = Result<T, CollectionFailure>

/**
 * Reads the inputs of a verified receipt, each of which has the digest that the receipt says. `request`: the
 * question as it was sent, unverified; without it nobody knows what the directory was asked for.
 */
export async function collectInputs(
  store: Pick<Store, 'trustRecord' | 'deviceHistory' | 'document' | 'directoryEntries'>,
  claims: ReceiptClaims,
  request?: unknown,
): Promise<Collected<StoredInputs>> {
  const { device_id: id } = claims
  const { record } = id === undefined ? { record: null } : await store.trustRecord(id)
  const device = id === undefined ? ok(null) : collectDevice(record, { ...claims, device_id: id })
  if (!device.ok) return device
  const evidence = await collectEvidence(store, record, claims)
  if (!evidence.ok) return evidence
  const policy = await collectDocument(store, 'policy', claims.policy_hash)
  if (!policy.ok) return policy
  const values = await collectDocument(store, 'reference-values', claims.reference_values_hash)
  if (!values.ok) return values
  const directory = await collectDirectory(store, { ...claims, policy: policy.value, request })
  if (!directory.ok) return directory
  return ok({
    device: device.value,
    evidence: evidence.value,
    policy: policy.value,
    reference_values: values.value,
    ...(directory.value !== undefined && { directory: directory.value }),
  })
}

/** What the directory says now; that it said so then is what its digest shows. */
async function collectDirectory(
  store: Pick<Store, 'directoryEntries'>,
  receipt: Pick<ReceiptClaims, 'directory_digest'> & {
    readonly policy: Readonly<Record<string, unknown>>
    readonly request: unknown
  },
): Promise<Collected<Directory | undefined>> {
  const { directory_digest: digest } = receipt
  if (digest === undefined) return ok(undefined)
  const told = { input: 'directory', name: digest } as const
  const request = parseEvaluation(receipt.request)
  const policy = compilePolicy(receipt.policy)
  if (!request.ok || !policy.ok) return err({ reason: 'receipt_input_not_stored', ...told })
  const kinds = policy.value.directoryRoots
  const entries = await store.directoryEntries(entitiesOf(request.value, kinds))
  const directory = directoryOf(request.value, kinds, entries)
  return digestDirectory(directory) === digest
    ? ok(directory)
    : err({ reason: 'receipt_input_changed', ...told })
}

/**
 * The device as it was. Quarantine and admission may have come or gone since: the receipt tells of
 * the one, and only two states of the other can have been.
 */
function collectDevice(
  record: TrustRecord | null,
  claims: ReceiptClaims & { readonly device_id: string },
): Collected<DeviceInput> {
  const told = { input: 'device', name: claims.device_id } as const
  if (record === null) return err({ reason: 'receipt_input_not_stored', ...told })
  const quarantined = claims.verdict === 'quarantined'
  for (const enrolment of new Set([record.enrolment, 'pending'] as const)) {
    const device = { ...describeDevice(record), quarantined, enrolment }
    if (digestInput(device) === claims.device_digest) return ok(device)
  }
  return err({ reason: 'receipt_input_changed', ...told })
}

async function collectEvidence(
  store: Pick<Store, 'deviceHistory'>,
  record: TrustRecord | null,
  claims: ReceiptClaims,
): Promise<Collected<EvidenceInput | null>> {
  const { attestation_id: name } = claims
  if (name === undefined) return ok(null)
  const last = record?.attestation
  const attestation =
    last?.attestationId === name ? last : await findInHistory(store, { ...claims, name })
  if (attestation === undefined) {
    return err({ reason: 'receipt_input_not_stored', input: 'evidence', name })
  }
  const evidence = describeEvidence(attestation)
  return digestInput(evidence) === claims.evidence_digest
    ? ok(evidence)
    : err({ reason: 'receipt_input_changed', input: 'evidence', name })
}

/** The history does not keep how long an attestation was to count: the receipt does. */
async function findInHistory(
  store: Pick<Store, 'deviceHistory'>,
  receipt: ReceiptClaims & { readonly name: string },
): Promise<Omit<RecordedAttestation, 'confirmationKey'> | undefined> {
  const { name, device_id = '', attested_at = '', valid_until = '' } = receipt
  let before: string | null = null
  do {
    const from: { before?: string } = before === null ? {} : { before }
    const page = await store.deviceHistory(device_id, { limit: PAGE_ROWS_MOST, ...from })
    const entry = page.entries.find(({ attestationId }) => attestationId === name)
    if (entry !== undefined) {
      const { at, issuer, attestationPolicyHash, claims } = entry
      if (issuer === null || attestationPolicyHash === null || claims === null) return undefined
      const validUntil = new Date(valid_until)
      return {
        attestationId: name,
        attestedAt: at,
        validUntil,
        issuer,
        attestationPolicyHash,
        claims,
      }
    }
    const isPast = (page.entries.at(-1)?.at.getTime() ?? 0) < Date.parse(attested_at)
    before = isPast ? null : page.nextBefore
  } while (before !== null)
  return undefined
}

async function collectDocument(
  store: Pick<Store, 'document'>,
  kind: DocumentKind,
  hash: string,
): Promise<Collected<Record<string, unknown>>> {
  const told = {
    input: kind === 'policy' ? 'policy' : 'reference_values',
    name: hash,
  } as const
  const stored = await store.document(kind, hash)
  if (stored === null) return err({ reason: 'receipt_input_not_stored', ...told })
  const body = { ...(stored.body as Record<string, unknown>) }
  return digestInput(body) === hash ? ok(body) : err({ reason: 'receipt_input_changed', ...told })
}
