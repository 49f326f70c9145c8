import type { DescribedDenial } from '../access/explain.ts'
import type { HistoryEntry } from '../store/devices/device-history.ts'
import type { DeviceDetail, DeviceSummary } from '../store/devices/device-reads.ts'

/** A device in a list, as it stands on the wire. */
export function showSummary(device: DeviceSummary) {
  return {
    device_id: device.deviceId,
    verdict: device.verdict,
    enrolment: device.enrolment,
    owner: device.owner,
    entra_device_id: device.entraDeviceId,
    labels: device.labels,
    ring: device.ring,
    quarantined_at: device.quarantinedAt,
    attested_at: device.attestedAt,
    valid_until: device.validUntil,
    created_at: device.createdAt,
  }
}

/** One device with its last accepted attestation, and what will deny it later. */
export function showDetail(detail: DeviceDetail, coming: readonly DescribedDenial[]) {
  const { record, verdict, recordedVerdict, reasons, firstFailedAt } = detail
  const { attestation, quarantine } = record
  return {
    device_id: record.deviceId,
    verdict,
    enrolment: record.enrolment,
    owner: record.owner,
    entra_device_id: record.entraDeviceId,
    labels: record.labels,
    ring: record.ring,
    quarantine,
    vouched: record.vouched,
    generation: record.generation,
    created_at: record.createdAt,
    attestation: attestation && {
      attestation_id: attestation.attestationId,
      attested_at: attestation.attestedAt,
      valid_until: attestation.validUntil,
      issuer: attestation.issuer,
      policy_hash: attestation.attestationPolicyHash,
      cnf: { jkt: attestation.confirmationKey },
      recorded_verdict: recordedVerdict,
      reasons,
      first_failed_at: firstFailedAt,
      claims: attestation.claims,
    },
    coming: coming.map(({ clause, from, title, repair }) => {
      return { clause, title, repair, denied_from: from }
    }),
  }
}

/** One attempt to attest, refused ones among them. */
export function showEntry(entry: HistoryEntry) {
  return {
    attestation_id: entry.attestationId,
    at: entry.at,
    outcome: entry.outcome,
    stage: entry.stage,
    verdict: entry.verdict,
    reasons: entry.reasons,
    trace: entry.trace,
    digests: entry.digests,
    issuer: entry.issuer,
    policy_hash: entry.attestationPolicyHash,
    evaluated_policy: entry.evaluatedPolicyHash,
    reference_values: entry.referenceValuesHash,
    claims: entry.claims,
  }
}
