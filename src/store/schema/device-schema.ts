import { sql } from 'drizzle-orm'
import {
  boolean,
  check,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
} from 'drizzle-orm/pg-core'
import type {
  DeviceKeyKind,
  Enrolment,
  RecordedAttestation,
  TrustRecord,
  Verdict,
} from '../../access/trust-record.ts'
import type { AttestationClaims } from '../../appraisal/claims.ts'
import type { Json } from '../json.ts'
import { asciiText, instant } from './columns.ts'

/**
 * Every table that grows with the fleet is keyed by `device_id` first, so that all rows of one
 * device can sit on one machine. Nothing refers across devices and no hot key is a sequence.
 *
 * Columns added here need a migration: `npm run generate`. The functions that write several of these
 * tables at once are in `drizzle/`, one file each.
 */

/** One row per device: who it is, and what its last accepted attestation proved. */
export const device = pgTable(
  'device',
  {
    deviceId: asciiText('device_id').primaryKey(),
    keyKind: text('key_kind').$type<DeviceKeyKind>().notNull(),
    deviceKeyHash: asciiText('device_key_hash').notNull(),
    enrolment: text('enrolment').$type<Enrolment>().notNull(),
    owner: text('owner'),
    entraDeviceId: asciiText('entra_device_id'),
    labels: text('labels').array().notNull().default(sql`'{}'::text[]`),
    /** What people call the device, and the serial number of its hardware: what administrators say. */
    name: text('name'),
    serial: text('serial'),
    /** As they are searched by: `foldText` of what is above. */
    ownerFolded: text('owner_folded'),
    entraDeviceIdFolded: text('entra_device_id_folded'),
    labelsFolded: text('labels_folded').array().notNull().default(sql`'{}'::text[]`),
    nameFolded: text('name_folded'),
    serialFolded: text('serial_folded'),
    ring: smallint('ring').notNull(),
    quarantinedAt: instant('quarantined_at'),
    quarantinedBy: text('quarantined_by'),
    quarantineReason: text('quarantine_reason'),
    // All of the following are null until the first accepted attestation, and written together.
    attestationId: asciiText('attestation_id'),
    attestedAt: instant('attested_at'),
    validUntil: instant('valid_until'),
    issuer: text('issuer'),
    attestationPolicyHash:
      text('policy_hash').$type<RecordedAttestation['attestationPolicyHash']>(),
    confirmationKey: asciiText('confirmation_key'),
    claims: jsonb('claims').$type<AttestationClaims>(),
    verdict: text('verdict').$type<RecordedVerdict>(),
    reasons: jsonb('reasons').$type<readonly Json[]>(),
    /** Clause id to the time since which it fails without a break, denying or only reporting. */
    firstFailedAt: jsonb('first_failed_at')
      .$type<Readonly<Record<string, string>>>()
      .notNull()
      .default(sql`'{}'::jsonb`),
    /** Clause id to the grace that the device has begun to use up (`NotedGrace`). */
    graces: jsonb('graces').$type<TrustRecord['graces']>().notNull().default(sql`'{}'::jsonb`),
    /**
     * Clauses, of any severity, that the device did not meet when it was last looked at: as it attested,
     * or by the sweep. What devices are found by; no decision reads it, and grace does not count from it.
     */
    unmet: text('unmet').array().notNull().default(sql`'{}'::text[]`),
    /** The verdict that others were told last: what differs from it is to be announced. */
    announcedVerdict: text('announced_verdict').$type<Verdict>().notNull().default('unknown'),
    /** Device tokens of another generation do not count. Raised by whatever has to end them. */
    generation: integer('generation').notNull().default(1),
    /** Whether the last accepted attestation proved its hardware (`isVouched`). */
    vouched: boolean('vouched').notNull().default(false),
    /** Day (UTC) of the last accepted attestation: what the archive goes by. */
    seenOn: date('seen_on'),
    /** Idle for so long that it is to be removed; its next attestation ends that. */
    archivedAt: instant('archived_at'),
    /**
     * base64url SHA-256 of the keys that evidence has linked to this device by its TPM. A device that
     * is named by its only key has none.
     */
    linkedKeys: text('linked_keys').array().notNull().default(sql`'{}'::text[]`),
    /**
     * Which place in the list of statuses is this device's, before they are shuffled. Given with its first
     * attestation and never to another device; null until then.
     */
    statusPlace: integer('status_place'),
    /** The verdict that was last written there. */
    listedVerdict: text('listed_verdict').$type<Verdict>(),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [
    check('device_key_kind', sql`${table.keyKind} in ('aik', 'cnf', 'tpm')`),
    index('device_idle')
      .on(table.seenOn)
      .where(sql`${table.archivedAt} is null and ${table.quarantinedAt} is null`),
    // What devices are found by. Attestations change these columns rarely, so that most still touch no index.
    index('device_found').using('gin', table.labelsFolded, table.unmet),
    index('device_announced').on(table.announcedVerdict, table.deviceId),
    index('device_issuer').on(table.issuer, table.deviceId),
    index('device_by_ring').on(table.ring, table.deviceId),
    index('device_owner')
      .on(table.ownerFolded.op('text_pattern_ops'))
      .where(sql`${table.ownerFolded} is not null`),
    index('device_name')
      .on(table.nameFolded.op('text_pattern_ops'))
      .where(sql`${table.nameFolded} is not null`),
    index('device_entra')
      .on(table.entraDeviceIdFolded.op('text_pattern_ops'))
      .where(sql`${table.entraDeviceIdFolded} is not null`),
    index('device_serial')
      .on(table.serialFolded.op('text_pattern_ops'))
      .where(sql`${table.serialFolded} is not null`),
    index('device_seen').on(table.seenOn),
    index('device_pending').on(table.deviceId).where(sql`${table.enrolment} = 'pending'`),
    index('device_archived').on(table.archivedAt).where(sql`${table.archivedAt} is not null`),
    index('device_unlisted')
      .on(table.deviceId)
      .where(
        sql`${table.statusPlace} is not null and ${table.listedVerdict} is distinct from ${table.announcedVerdict}`,
      ),
    index('device_unvouched')
      .on(table.deviceId)
      .where(sql`not ${table.vouched} and ${table.seenOn} is not null`),
    check('device_enrolment', sql`${table.enrolment} in ('admitted', 'pending')`),
    check('device_ring', sql`${table.ring} between 0 and 99`),
    check('device_verdict', sql`${table.verdict} in ('trusted', 'untrusted', 'unknown')`),
    check(
      'device_attestation_whole',
      sql`num_nulls(${table.attestationId}, ${table.attestedAt}, ${table.validUntil}, ${table.issuer}, ${table.attestationPolicyHash}, ${table.confirmationKey}, ${table.claims}, ${table.verdict}, ${table.reasons}) in (0, 9)`,
    ),
    check(
      'device_quarantine_whole',
      sql`num_nulls(${table.quarantinedAt}, ${table.quarantinedBy}, ${table.quarantineReason}) in (0, 3)`,
    ),
  ],
)

/**
 * Further names of a device: those of its keys and of other descriptions of its TPM. What has a row
 * here has none in `device`, and what a row points to points nowhere else.
 */
export const deviceLink = pgTable(
  'device_link',
  {
    deviceId: asciiText('device_id').primaryKey(),
    targetId: asciiText('target_id').notNull(),
    linkedAt: instant('linked_at').notNull(),
  },
  (table) => [index('device_link_target').on(table.targetId)],
)

/** What an attestation can be recorded as; `stale` and `quarantined` follow from time and people. */
export type RecordedVerdict = 'trusted' | 'untrusted' | 'unknown'

/**
 * A nonce is only stored when it is spent, and only until it would have expired anyway. Partitioned by
 * its expiry, which is sealed into the nonce: the same nonce always comes to the same row.
 */
export const spentNonce = pgTable(
  'spent_nonce',
  {
    deviceId: asciiText('device_id').notNull(),
    nonceId: asciiText('nonce_id').notNull(),
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.deviceId, table.nonceId, table.expiresAt] })],
)

/**
 * Service contexts of the built-in verifier that a message used up, as long as one could be handed in
 * again; partitioned as nonces are. An initial message names no device, so the context is the key, and
 * a distributed database distributes by it.
 */
export const spentContext = pgTable(
  'spent_context',
  {
    contextId: asciiText('context_id').notNull(),
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.contextId, table.expiresAt] })],
)

/**
 * Accepted attestations, partitioned by time; the evidence itself is not kept. A row is the audit entry
 * of its attestation too: who did what, when. One that was recorded before its key became a further name
 * of another device stays under the name it came by.
 */
export const attestation = pgTable(
  'attestation',
  {
    deviceId: asciiText('device_id').notNull(),
    attestationId: asciiText('attestation_id').notNull(),
    at: instant('at').notNull(),
    verdict: text('verdict').$type<RecordedVerdict>().notNull(),
    reasons: jsonb('reasons').$type<readonly Json[]>().notNull(),
    claims: jsonb('claims').$type<AttestationClaims>().notNull(),
    digests: jsonb('digests').$type<Readonly<Record<string, string>>>().notNull(),
    trace: jsonb('trace').$type<Json>(),
    issuer: text('issuer').notNull(),
    attestationPolicyHash: text('policy_hash')
      .$type<RecordedAttestation['attestationPolicyHash']>()
      .notNull(),
    evaluatedPolicyHash: text('evaluated_policy_hash'),
    referenceValuesHash: text('reference_values_hash'),
    /** Whether the trust record became this one's; false where a newer one was recorded before. */
    isCurrent: boolean('is_current').notNull(),
    /** Whether it made the device known. */
    isNew: boolean('is_new').notNull(),
  },
  (table) => [
    // In the order in which the history of a device is read.
    primaryKey({ columns: [table.deviceId, table.at, table.attestationId] }),
    // For `lastAccepted`: rows arrive in the order of time, which a block range index follows for free.
    index('attestation_at').using('brin', table.at),
  ],
)

/**
 * The last accepted attestations of each device, newest first and few, without claims: what of a silent
 * device outlives the partitions of its history.
 */
export const recentAttestation = pgTable('recent_attestation', {
  deviceId: asciiText('device_id').primaryKey(),
  attestations: jsonb('attestations').$type<readonly RecentAttestation[]>().notNull(),
})

/** `at` is ISO 8601. */
export type RecentAttestation = {
  readonly attestationId: string
  readonly at: string
  readonly verdict: RecordedVerdict
  readonly reasons: readonly Json[]
}

/**
 * Refused attempts of proven keys: a ring of slots for each device and period, so that a new one
 * takes the place of the oldest and nobody fills the table. Partitioned by the beginning of the period.
 */
export const refusal = pgTable(
  'refusal',
  {
    deviceId: asciiText('device_id').notNull(),
    period: instant('period').notNull(),
    slot: smallint('slot').notNull(),
    attestationId: asciiText('attestation_id').notNull(),
    at: instant('at').notNull(),
    /** Where the attempt ended. */
    stage: text('stage').notNull(),
    reasons: jsonb('reasons').$type<readonly Json[]>().notNull(),
    claims: jsonb('claims').$type<AttestationClaims>(),
    digests: jsonb('digests').$type<Readonly<Record<string, string>>>().notNull(),
    trace: jsonb('trace').$type<Json>(),
    issuer: text('issuer'),
    attestationPolicyHash:
      text('policy_hash').$type<RecordedAttestation['attestationPolicyHash']>(),
    referenceValuesHash: text('reference_values_hash'),
  },
  (table) => [
    primaryKey({ columns: [table.deviceId, table.period, table.slot] }),
    // For whoever looks at what was refused last, of whichever device.
    index('refusal_at').on(table.at, table.attestationId),
  ],
)
