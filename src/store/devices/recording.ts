import { sql } from 'drizzle-orm'
import type { DeviceId } from '../../access/device-id.ts'
import type {
  DeviceKeyKind,
  Enrolment,
  Quarantine,
  RecordedAttestation,
  TrustRecord,
  Verdict,
} from '../../access/trust-record.ts'
import type { AttestationClaims } from '../../appraisal/claims.ts'
import { isVouched } from '../../appraisal/hardware.ts'
import { type Argument, callOf, type Database, onlyRow } from '../drivers/database.ts'
import { encodeJson, encodeText, type Json } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { device, type RecordedVerdict } from '../schema/device-schema.ts'
import { beginOfPeriod } from '../schema/partitioned.ts'
import { quarantineOf } from './trust-records.ts'

/** How many refused attempts of one device are kept of each period (`PARTITIONED.refusal`). */
export const REFUSALS_KEPT_PER_DEVICE = 20

/**
 * The name under which attempts stand whose key was proven, but which nobody knows or vouches for. Keys cost
 * nothing to make, so all of them share one ring: it fills no table, and shows what is refused now.
 */
export const STRANGERS = 'strangers'

/** How many attempts of strangers are kept of each period. */
export const STRANGERS_KEPT = 100

/** What becomes of a device key that was never seen before. */
export type EnrolmentMode = 'open' | 'approval' | 'listed'

export type Recording = {
  /**
   * Records an accepted attestation in one round trip: the nonce is spent, the trust record, the
   * history row (which is its audit row) and, if others were told something else, the event are
   * written, or nothing is.
   * Of any number of calls with one nonce exactly one answers `recorded`.
   */
  readonly recordAttestation: (input: AttestationToRecord) => Promise<RecordingAnswer>
  /**
   * Keeps a failed attempt by a device that proved its key, and of these the newest
   * `REFUSALS_KEPT_PER_DEVICE` of each period. Neither creates a device nor changes what is known about one, and
   * spends no nonce. `unknown`: nobody knows the device or vouches for its key, and nothing is written.
   */
  readonly recordRefusal: (input: RefusalToRecord) => Promise<'kept' | 'unknown'>
  /** Keeps a failed attempt by a device that is `unknown`, among those of all strangers (`STRANGERS`). */
  readonly recordStranger: (input: RefusalToRecord) => Promise<void>
}

export type AttestationToRecord = {
  readonly deviceId: string
  readonly keyKind: DeviceKeyKind
  /** The 32 bytes inside `aikPubHash` (or of the `cnf` key) in base64url. */
  readonly deviceKeyHash: string
  /** 0 to 99; kept from the first attestation on. */
  readonly ring: number
  readonly enrolmentMode: EnrolmentMode
  /**
   * base64url SHA-256 of the key, where it is not what names the device: evidence or an earlier link
   * does. `null` where the key names the device itself.
   */
  readonly linkedKey: string | null
  /** `expiresAt`: when the nonce would be refused for its age alone. */
  readonly nonce: { readonly id: string; readonly expiresAt: Date }
  /** `attestedAt` is the time of recording: audit, event and `updatedAt` carry it too. */
  readonly attestation: RecordedAttestation
  readonly verdict: RecordedVerdict
  /**
   * What others are told now of an admitted and free device; `null` where the sweep has to find out,
   * because something may relieve the device.
   */
  readonly announcedVerdict: RecordedVerdict | null
  readonly reasons: readonly Json[]
  /** Ids of the clauses that fail now; how long each has been failing is kept per device. */
  readonly failedClauses: readonly string[]
  /** Of each clause that denies now and gives time for repair. */
  readonly graces: readonly GraceToNote[]
  readonly digests: Readonly<Record<string, string>>
  readonly trace: Json
  /** Our own documents the verdict was computed under, `null` where none took part. */
  readonly evaluatedPolicyHash: string | null
  readonly referenceValuesHash: string | null
}

/** What becomes of the grace of a clause: see `graceOfClause`. */
export type GraceToNote = {
  readonly clause: string
  /**
   * `rests`: it goes by the hour and does not apply now, which says nothing of the device. What was noted
   * stays as it is.
   */
  readonly state: 'fails' | 'met' | 'rests'
  /** How the documents bind the device to it (`Binding`). */
  readonly bound: { readonly since: Date; readonly anew: Date | null }
  /** How long the device must not fail it to have its grace again. */
  readonly forgottenAfterMs: number
}

export type RecordingAnswer =
  | { readonly outcome: 'recorded' | 'nonce_spent'; readonly device: RecordedDevice | null }
  | { readonly outcome: 'device_not_listed'; readonly device: null }
  /** The name that was given is one of `linkedDeviceId`'s: to be recorded there. Nothing is written. */
  | { readonly outcome: 'linked'; readonly device: null; readonly linkedDeviceId: DeviceId }
  /** `linkedKey` is not known as a key of the device: `linkDevice` comes first. Nothing is written. */
  | { readonly outcome: 'link_needed'; readonly device: null }

/** What was already known about the device when the attestation arrived. */
export type RecordedDevice = {
  readonly enrolment: Enrolment
  readonly quarantine: Quarantine | null
  readonly owner: string | null
  readonly entraDeviceId: string | null
  readonly labels: readonly string[]
  readonly ring: number
  /** Quarantine left aside; `stale` if the previous attestation had expired. */
  readonly previousVerdict: Verdict
  /** False if a newer attestation was recorded first: this one is in the history only. */
  readonly isCurrent: boolean
  /** Whether this attestation made it known. */
  readonly isNew: boolean
  /** What a device token has to be of now that the attestation is recorded. */
  readonly generation: number
  /** RFC 7638 thumbprint of the key that counts now; another one's where this is not current. */
  readonly confirmationKey: string | null
  /** As they are noted now. */
  readonly firstFailedAt: TrustRecord['firstFailedAt']
  readonly graces: TrustRecord['graces']
  /** Its place in the list of statuses, not shuffled; null where a newer attestation was recorded before it had one. */
  readonly statusPlace: number | null
}

export type RefusalToRecord = {
  readonly deviceId: string
  /** Whether the key is certified up to a trust anchor, or its provider vouches for it. */
  readonly isVouched: boolean
  readonly attestationId: string
  readonly at: Date
  /** The step that refused, such as `token`, `proof` or `nonce`. */
  readonly stage: string
  readonly reasons: readonly Json[]
  /** Claims and the rest as far as they were verified before the refusal. */
  readonly claims: AttestationClaims | null
  readonly digests: Readonly<Record<string, string>>
  readonly trace: Json
  readonly issuer: string | null
  readonly attestationPolicyHash: RecordedAttestation['attestationPolicyHash'] | null
  readonly referenceValuesHash: string | null
}

export function prepareRecording(db: Database): Recording {
  const attestation = db
    .select({
      outcome: sql<RecordingAnswer['outcome']>`outcome`,
      isCurrent: sql<boolean>`is_current`,
      previousVerdict: sql<Verdict>`previous_verdict`,
      enrolment: sql<Enrolment | null>`enrolment`,
      owner: sql<string | null>`owner`,
      entraDeviceId: sql<string | null>`entra_device_id`,
      labels: sql`labels`.mapWith(device.labels),
      ring: sql<number | null>`ring`,
      quarantinedAt: sql`quarantined_at`.mapWith(device.quarantinedAt),
      quarantinedBy: sql<string | null>`quarantined_by`,
      quarantineReason: sql<string | null>`quarantine_reason`,
      generation: sql<number | null>`generation`,
      confirmationKey: sql<string | null>`confirmation_key`,
      linkedDeviceId: sql<DeviceId | null>`linked_device_id`,
      isNew: sql<boolean>`is_new`,
      firstFailedAt: sql`first_failed_at`.mapWith(device.firstFailedAt),
      graces: sql`graces`.mapWith(device.graces),
      statusPlace: sql<number | null>`status_place`,
    })
    .from(callOf('record_attestation', ATTESTATION_PARAMETERS))
    .prepare('record_attestation')

  const refusal = db
    .select({ isKept: sql<boolean>`is_kept` })
    .from(sql`${callOf('record_refusal', REFUSAL_PARAMETERS)} as is_kept`)
    .prepare('record_refusal')

  return {
    async recordAttestation(input) {
      const row = onlyRow(await attestation.execute(attestationArguments(input)))
      const { outcome, isCurrent, previousVerdict, enrolment, ring, generation } = row
      if (outcome === 'device_not_listed' || outcome === 'link_needed') {
        return { outcome, device: null }
      }
      if (outcome === 'linked') {
        const { linkedDeviceId } = row
        if (linkedDeviceId === null) throw new TypeError('a linked name has a device')
        return { outcome, device: null, linkedDeviceId }
      }
      if (enrolment === null || ring === null || generation === null) {
        return { outcome, device: null }
      }
      const { owner, entraDeviceId, labels, confirmationKey, isNew, firstFailedAt, graces } = row
      const { statusPlace } = row
      const who = { enrolment, owner, entraDeviceId, labels, ring, generation, confirmationKey }
      const noted = { firstFailedAt: firstFailedAt ?? {}, graces: graces ?? {}, statusPlace }
      const known = { ...who, ...noted, previousVerdict, isCurrent, isNew }
      return { outcome, device: { ...known, quarantine: quarantineOf(row) } }
    },
    async recordRefusal(input) {
      const { isKept } = onlyRow(await refusal.execute(refusalArguments(input)))
      return isKept ? 'kept' : 'unknown'
    },
    async recordStranger({ deviceId, reasons: [first, ...others], ...input }) {
      const reasons = [{ ...Object(first), device_id: deviceId }, ...others]
      const stranger = { ...input, deviceId: STRANGERS, isVouched: true, reasons }
      await refusal.execute(refusalArguments(stranger, STRANGERS_KEPT))
    },
  }
}

type Arguments<P extends readonly string[]> = Readonly<Record<P[number], Argument>>

const ATTESTATION_PARAMETERS = [
  'p_device_id',
  'p_key_kind',
  'p_device_key_hash',
  'p_ring',
  'p_enrolment_mode',
  'p_nonce_id',
  'p_nonce_expires_at',
  'p_attestation_id',
  'p_attested_at',
  'p_valid_until',
  'p_issuer',
  'p_policy_hash',
  'p_confirmation_key',
  'p_claims',
  'p_verdict',
  'p_reasons',
  'p_failed_clauses',
  'p_digests',
  'p_trace',
  'p_evaluated_policy_hash',
  'p_reference_values_hash',
  'p_event_id',
  'p_announced_verdict',
  'p_vouched',
  'p_linked_key',
  'p_graces',
] as const

function attestationArguments(
  input: AttestationToRecord,
): Arguments<typeof ATTESTATION_PARAMETERS> {
  const { attestation, nonce } = input
  return {
    p_device_id: input.deviceId,
    p_key_kind: input.keyKind,
    p_device_key_hash: input.deviceKeyHash,
    p_ring: input.ring,
    p_enrolment_mode: input.enrolmentMode,
    p_nonce_id: nonce.id,
    p_nonce_expires_at: nonce.expiresAt.toISOString(),
    p_attestation_id: attestation.attestationId,
    p_attested_at: attestation.attestedAt.toISOString(),
    p_valid_until: attestation.validUntil.toISOString(),
    p_issuer: encodeText(attestation.issuer),
    p_policy_hash: encodeText(attestation.attestationPolicyHash),
    p_confirmation_key: attestation.confirmationKey,
    p_claims: encodeJson(attestation.claims),
    p_verdict: input.verdict,
    p_reasons: encodeJson(input.reasons),
    p_failed_clauses: encodeJson(input.failedClauses),
    p_digests: encodeJson(input.digests),
    p_trace: encodeJson(input.trace),
    p_evaluated_policy_hash: input.evaluatedPolicyHash,
    p_reference_values_hash: input.referenceValuesHash,
    p_event_id: newRecordId(attestation.attestedAt),
    p_announced_verdict: input.announcedVerdict,
    p_vouched: isVouched(attestation.claims),
    p_linked_key: input.linkedKey,
    p_graces: encodeJson(input.graces.map(describeGrace)),
  }
}

function describeGrace({ clause, state, bound, forgottenAfterMs }: GraceToNote) {
  const forgottenAfter = forgottenAfterMs / 1000
  const anew = bound.anew?.toISOString() ?? null
  return { clause, state, bound: bound.since.toISOString(), anew, forgottenAfter }
}

const REFUSAL_PARAMETERS = [
  'p_device_id',
  'p_attestation_id',
  'p_at',
  'p_period',
  'p_stage',
  'p_reasons',
  'p_claims',
  'p_digests',
  'p_trace',
  'p_issuer',
  'p_policy_hash',
  'p_reference_values_hash',
  'p_vouched',
  'p_keep',
] as const

function refusalArguments(
  input: RefusalToRecord,
  keep: number = REFUSALS_KEPT_PER_DEVICE,
): Arguments<typeof REFUSAL_PARAMETERS> {
  return {
    p_device_id: input.deviceId,
    p_attestation_id: input.attestationId,
    p_at: input.at.toISOString(),
    p_period: beginOfPeriod('refusal', input.at).toISOString(),
    p_stage: input.stage,
    p_reasons: encodeJson(input.reasons),
    p_claims: input.claims === null ? null : encodeJson(input.claims),
    p_digests: encodeJson(input.digests),
    p_trace: encodeJson(input.trace),
    p_issuer: input.issuer === null ? null : encodeText(input.issuer),
    p_policy_hash:
      input.attestationPolicyHash === null ? null : encodeText(input.attestationPolicyHash),
    p_reference_values_hash: input.referenceValuesHash,
    p_vouched: input.isVouched,
    p_keep: keep,
  }
}
