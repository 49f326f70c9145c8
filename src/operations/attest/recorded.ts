import type { Assessment, Documents } from '../../access/assess.ts'
import { type ComingDenial, comingDenials } from '../../access/coming-denials.ts'
import type { DeviceId } from '../../access/device-id.ts'
import type { RecordedAttestation } from '../../access/trust-record.ts'
import {
  type DerivedVerdict,
  deriveVerdict,
  isActiveAt,
  type VerdictReason,
} from '../../access/verdict.ts'
import type { RecordedDevice } from '../../store/devices/recording.ts'
import type { Store } from '../../store/store.ts'
import type { DeviceRules } from '../release/rules-in-force.ts'
import { type AttestationId, recordedAttestationId } from './attestation-id.ts'
import type { ProvenDevice } from './verify-submission.ts'

/** What was written, and what it comes to for a device that may be quarantined or pending. */
export type Recorded = {
  /** Of the device that it was recorded for: its own, where what the evidence names is a name of it. */
  readonly deviceId: DeviceId
  readonly attestation: RecordedAttestation & { readonly attestationId: AttestationId }
  readonly verdict: DerivedVerdict
  readonly rules: Documents
  /** What will deny it later, unless it is repaired. */
  readonly coming: readonly ComingDenial[]
  /** What a device token for the proven key has to be of. */
  readonly generation: number
  /** Its place in the list of statuses, not shuffled; null where it has none. */
  readonly statusPlace: number | null
  /** Whether it had been recorded before, for the same token and proof, whose answer may be lost. */
  readonly isRepeated: boolean
}

/** The verdict on the evidence, unless the standing of the device, now known, decides before it. */
export function verdictOn(
  { enrolment, quarantine }: Pick<RecordedDevice, 'enrolment' | 'quarantine'>,
  recorded: {
    readonly attestation: RecordedAttestation
    readonly onEvidence: DerivedVerdict
    readonly now: Date
  },
): DerivedVerdict {
  const { attestation, onEvidence, now } = recorded
  const record = { enrolment, quarantine, attestation }
  return isActiveAt(record, now) ? onEvidence : deriveVerdict({ record, clauseOutcomes: [], now })
}

/**
 * What was recorded by the very token and proof that are handed in again with a nonce that is spent:
 * whoever lost the answer gets it again, with a device token of the same key, generation and end.
 * `null` for every other token and proof, and when anything has happened to the device since.
 */
export async function findRecorded(
  store: Pick<Store, 'recordedSubmission'>,
  again: {
    readonly submission: Pick<ProvenDevice, 'digests'>
    readonly deviceId: DeviceId
    readonly deviceRules: DeviceRules
    /** Of the same evidence under the rules of now: what may deny it later. */
    readonly assessment: Assessment
    readonly now: Date
  },
): Promise<Recorded | null> {
  const { submission, deviceId, deviceRules, assessment, now } = again
  const { token: tokenDigest, proof: proofDigest } = submission.digests
  const found = await store.recordedSubmission({ deviceId, tokenDigest, proofDigest })
  if (found === null) return null
  const { record, verdict, reasons, statusPlace } = found
  const attestationId = recordedAttestationId(record.attestation.attestationId)
  const attestation = { ...record.attestation, attestationId }
  const onEvidence = { verdict, reasons: reasons as readonly VerdictReason[] }
  const { rules, reliefs } = deviceRules
  return {
    ...{ deviceId, attestation, rules, generation: record.generation, statusPlace },
    isRepeated: true,
    verdict: verdictOn(record, { attestation, onEvidence, now }),
    coming: comingDenials({ ...rules, reliefs, assessment, now, record, device: record }),
  }
}
