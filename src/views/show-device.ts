import { describeRelief } from '../access/decide.ts'
import type { DescribedDenial } from '../access/explain.ts'
import type { UnmetClause } from '../access/unmet.ts'
import type { AssessedDevice } from '../operations/devices/assess-device.ts'
import type { HistoryEntry, RefusedAttempt } from '../store/devices/device-history.ts'
import type { DeviceDetail } from '../store/devices/device-reads.ts'
import { showOverride } from './show-control.ts'

/** A device in a list, as it stands on the wire: as a decision would find it now. */
export function showSummary(device: AssessedDevice) {
  const { attestation, quarantine } = device.record
  return {
    ...showStanding(device),
    quarantined_at: quarantine?.at ?? null,
    issuer: attestation?.issuer ?? null,
    attested_at: attestation?.attestedAt ?? null,
    valid_until: attestation?.validUntil ?? null,
    created_at: device.record.createdAt,
  }
}

function showStanding({
  record,
  about,
  verdict,
  reasons,
  relief,
  unmet,
  overrides,
}: AssessedDevice) {
  return {
    device_id: record.deviceId,
    name: about.name,
    serial: about.serial,
    verdict,
    reasons,
    unmet: unmet.map(showUnmet),
    relief: relief.map(describeRelief),
    overrides: overrides.map(showOverride),
    enrolment: record.enrolment,
    owner: record.owner,
    entra_device_id: record.entraDeviceId,
    labels: record.labels,
    ring: record.ring,
  }
}

/** A clause that is not met, with the values that are there beside those that are needed. */
function showUnmet({ clause, severity, status, cause, since, shortfalls }: UnmetClause) {
  return {
    clause,
    severity,
    status,
    ...(cause !== undefined && { cause }),
    since: since ?? null,
    shortfalls,
  }
}

/** One device with its last accepted attestation, and what will deny it later. */
export function showDetail(
  { recordedVerdict, reasons, firstFailedAt }: DeviceDetail,
  device: AssessedDevice,
  coming: readonly DescribedDenial[],
) {
  const { record } = device
  const { attestation } = record
  return {
    ...showStanding(device),
    quarantine: record.quarantine,
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

/** A refused attempt in a list of those of all devices; the history of its device has its trace. */
export function showRefusal(refused: RefusedAttempt) {
  return {
    attestation_id: refused.attestationId,
    at: refused.at,
    device_id: refused.deviceId,
    known_or_vouched: !refused.isStranger,
    stage: refused.stage,
    reasons: refused.reasons,
    issuer: refused.issuer,
  }
}
