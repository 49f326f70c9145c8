import { sql } from 'drizzle-orm'
import {
  bigint,
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
  unique,
  uuid,
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
import type { Scope } from '../system/scopes.ts'
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

/** Whom the audit names for what nobody asked for. */
export const SERVICE = 'service'

/**
 * Who changed what, partitioned by time. Actions that concern no device stand under the device id
 * `service`. Of an attestation its own row tells.
 */
export const audit = pgTable(
  'audit',
  {
    deviceId: asciiText('device_id').notNull(),
    auditId: uuid('audit_id').notNull(),
    at: instant('at').notNull(),
    actor: text('actor').notNull(),
    action: text('action').notNull(),
    detail: jsonb('detail').$type<Json>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.deviceId, table.at, table.auditId] }),
    // In the order in which it is read, all of it, of one actor or of one action.
    index('audit_at').on(table.at, table.auditId),
    index('audit_actor').on(table.actor, table.at, table.auditId),
    index('audit_action').on(table.action, table.at, table.auditId),
  ],
)

/**
 * Events that left with the change they announce and wait for delivery. None is ever removed from here
 * but by being settled, so no partition that is dropped holds one that waits.
 */
export const outbox = pgTable(
  'outbox',
  {
    deviceId: asciiText('device_id').notNull(),
    eventId: uuid('event_id').notNull(),
    type: text('type').notNull(),
    payload: jsonb('payload').$type<Json>().notNull(),
    createdAt: instant('created_at').notNull(),
    attempts: integer('attempts').notNull().default(0),
    nextAttemptAt: instant('next_attempt_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.deviceId, table.eventId] }),
    index('outbox_next').on(table.nextAttemptAt),
  ],
)

/** Events that wait no longer, partitioned by when they were settled. */
export const settledEvent = pgTable(
  'settled_event',
  {
    deviceId: asciiText('device_id').notNull(),
    eventId: uuid('event_id').notNull(),
    settledAt: instant('settled_at').notNull(),
    outcome: text('outcome').$type<EventOutcome>().notNull(),
    type: text('type').notNull(),
    payload: jsonb('payload').$type<Json>().notNull(),
    createdAt: instant('created_at').notNull(),
    attempts: integer('attempts').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.deviceId, table.settledAt, table.eventId] }),
    check('settled_event_outcome', sql`${table.outcome} in ('delivered', 'expired')`),
  ],
)

/** `expired`: nobody was there to be given it for too long. */
export type EventOutcome = 'delivered' | 'expired'

/**
 * A bounded sample of the questions that were asked on each day, partitioned by day: it does not grow with
 * the fleet, and all of it is on one machine. A row without a device counts the questions about its topic
 * that were not kept.
 */
export const question = pgTable(
  'question',
  {
    period: instant('period').notNull(),
    clientId: asciiText('client_id').notNull(),
    /** Names the topic; empty for all that are not told apart. */
    topic: asciiText('topic').notNull(),
    deviceId: asciiText('device_id').notNull(),
    /** Names the question: the device and what was asked. */
    sample: asciiText('sample').notNull(),
    about: jsonb('about').$type<QuestionTopic>().notNull(),
    /** Names what it has in common with questions of the same names and types of values. */
    shape: asciiText('shape').notNull(),
    /** Of those of a topic the lowest are kept. */
    rank: integer('rank').notNull(),
    /** How often exactly this was asked, and when last. */
    asked: bigint('asked', { mode: 'number' }).notNull(),
    askedAt: instant('asked_at').notNull(),
    request: jsonb('request').$type<Json>(),
    leftOut: jsonb('left_out').$type<readonly (readonly string[])[]>(),
  },
  (table) => [
    primaryKey({
      columns: [table.period, table.clientId, table.topic, table.deviceId, table.sample],
    }),
  ],
)

/** Which action on which resource; `null` for what is not told apart. */
export type QuestionTopic = {
  readonly action: string | null
  readonly resource_type: string | null
  readonly resource_id: string | null
}

/**
 * Programs that may call the API. A secret is 256 random bits, so one plain hash keeps it. While one is
 * being replaced there are two. When each was used last is kept to the hour, and decides nothing.
 */
export const client = pgTable(
  'client',
  {
    clientId: asciiText('client_id').primaryKey(),
    name: text('name').notNull(),
    secretHash: asciiText('secret_hash').notNull(),
    scopes: text('scopes').array().$type<Scope[]>().notNull(),
    createdAt: instant('created_at').notNull(),
    disabledAt: instant('disabled_at'),
    /** Null for the secret that the client was created with. */
    secretChangedAt: instant('secret_changed_at'),
    secretUsedAt: instant('secret_used_at'),
    // Both are null without a secret before that one.
    previousSecretHash: asciiText('previous_secret_hash'),
    previousSecretUntil: instant('previous_secret_until'),
    previousSecretUsedAt: instant('previous_secret_used_at'),
  },
  (table) => [
    check(
      'client_previous_secret_whole',
      sql`num_nulls(${table.previousSecretHash}, ${table.previousSecretUntil}) in (0, 2)`,
    ),
  ],
)

/** Our own keys; the private halves are sealed with the master secret. */
export const signingKey = pgTable(
  'signing_key',
  {
    kid: asciiText('kid').primaryKey(),
    use: text('use').$type<SigningKeyUse>().notNull(),
    /** Counts the keys of one use: two processes that make the same key at once cannot both keep it. */
    generation: integer('generation').notNull(),
    algorithm: text('algorithm').notNull(),
    publicJwk: jsonb('public_jwk').$type<Json>().notNull(),
    certificate: text('certificate'),
    /** Destroyed with a key that was retired, and a while after others have ended. */
    sealedPrivateKey: text('sealed_private_key'),
    createdAt: instant('created_at').notNull(),
    signsFrom: instant('signs_from').notNull(),
    // Both are null until there is a successor.
    signsUntil: instant('signs_until'),
    acceptedUntil: instant('accepted_until'),
    /** When an administrator ended it at once. */
    retiredAt: instant('retired_at'),
  },
  (table) => [
    unique('signing_key_generation').on(table.use, table.generation),
    check(
      'signing_key_succeeded_whole',
      sql`num_nulls(${table.signsUntil}, ${table.acceptedUntil}) in (0, 2)`,
    ),
    check('signing_key_accepted_long', sql`${table.signsUntil} <= ${table.acceptedUntil}`),
    check(
      'signing_key_use',
      sql`${table.use} in ('attestation', 'device-token', 'receipt', 'enrolment')`,
    ),
  ],
)

/** Secrets that outlive the master secret that they are sealed with. */
export const sealedSecret = pgTable('sealed_secret', {
  name: asciiText('name').primaryKey(),
  sealed: text('sealed').notNull(),
  createdAt: instant('created_at').notNull(),
})

export type SigningKeyUse = 'attestation' | 'device-token' | 'receipt' | 'enrolment'
