import { sql } from 'drizzle-orm'
import {
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import type { DeviceKeyKind, Enrolment, Verdict } from '../access/trust-record.ts'
import type { AttestationClaims } from '../appraisal/claims.ts'
import type { DocumentKind } from '../policy/control.ts'
import type { Cause } from '../policy/hold.ts'
import type { OverrideTarget } from '../policy/override.ts'
import type { RolloutHealth, RolloutPass, RolloutPlan, RolloutState } from '../policy/rollout.ts'
import type { Scope } from './clients.ts'
import { asciiText, instant } from './columns.ts'
import type { Json } from './json.ts'

/**
 * Every table that grows with the fleet is keyed by `device_id` first, so that all rows of one
 * device can sit on one machine. Nothing refers across devices and no hot key is a sequence.
 *
 * Columns added here need a migration: `npx drizzle-kit generate --config drizzle/drizzle.config.ts`.
 * The functions that write several of these tables at once are in drizzle/*_functions.sql.
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
    ring: smallint('ring').notNull(),
    quarantinedAt: instant('quarantined_at'),
    quarantinedBy: text('quarantined_by'),
    quarantineReason: text('quarantine_reason'),
    // All of the following are null until the first accepted attestation, and written together.
    attestationId: asciiText('attestation_id'),
    attestedAt: instant('attested_at'),
    validUntil: instant('valid_until'),
    issuer: text('issuer'),
    policyHash: text('policy_hash'),
    confirmationKey: asciiText('confirmation_key'),
    claims: jsonb('claims').$type<AttestationClaims>(),
    verdict: text('verdict').$type<RecordedVerdict>(),
    reasons: jsonb('reasons').$type<readonly Json[]>(),
    /** Clause id to the time since which it fails without a break: grace periods count from here. */
    firstFailedAt: jsonb('first_failed_at')
      .$type<Readonly<Record<string, string>>>()
      .notNull()
      .default(sql`'{}'::jsonb`),
    /** The verdict that others were told last: what differs from it is to be announced. */
    announcedVerdict: text('announced_verdict').$type<Verdict>().notNull().default('unknown'),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [
    check('device_key_kind', sql`${table.keyKind} in ('aik', 'cnf')`),
    check('device_enrolment', sql`${table.enrolment} in ('admitted', 'pending')`),
    check('device_ring', sql`${table.ring} between 0 and 99`),
    check('device_verdict', sql`${table.verdict} in ('trusted', 'untrusted', 'unknown')`),
    check(
      'device_attestation_whole',
      sql`num_nulls(${table.attestationId}, ${table.attestedAt}, ${table.validUntil}, ${table.issuer}, ${table.policyHash}, ${table.confirmationKey}, ${table.claims}, ${table.verdict}, ${table.reasons}) in (0, 9)`,
    ),
    check(
      'device_quarantine_whole',
      sql`num_nulls(${table.quarantinedAt}, ${table.quarantinedBy}, ${table.quarantineReason}) in (0, 3)`,
    ),
  ],
)

/** What an attestation can be recorded as; `stale` and `quarantined` follow from time and people. */
export type RecordedVerdict = 'trusted' | 'untrusted' | 'unknown'

/** A nonce is only stored when it is spent, and only until it would have expired anyway. */
export const spentNonce = pgTable(
  'spent_nonce',
  {
    deviceId: asciiText('device_id').notNull(),
    nonceId: asciiText('nonce_id').notNull(),
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.deviceId, table.nonceId] }),
    index('spent_nonce_expires_at').on(table.expiresAt),
  ],
)

/** Attempts to attest, accepted or refused. The evidence itself is not kept. */
export const attestation = pgTable(
  'attestation',
  {
    deviceId: asciiText('device_id').notNull(),
    attestationId: asciiText('attestation_id').notNull(),
    at: instant('at').notNull(),
    outcome: text('outcome').$type<AttestationOutcome>().notNull(),
    /** Where a refused attempt ended; null for an accepted one. */
    stage: text('stage'),
    verdict: text('verdict').$type<RecordedVerdict>(),
    reasons: jsonb('reasons').$type<readonly Json[]>().notNull(),
    claims: jsonb('claims').$type<AttestationClaims>(),
    digests: jsonb('digests').$type<Readonly<Record<string, string>>>().notNull(),
    trace: jsonb('trace').$type<Json>(),
    issuer: text('issuer'),
    policyHash: text('policy_hash'),
    evaluatedPolicyHash: text('evaluated_policy_hash'),
    referenceValuesHash: text('reference_values_hash'),
  },
  (table) => [
    primaryKey({ columns: [table.deviceId, table.attestationId] }),
    check('attestation_outcome', sql`${table.outcome} in ('accepted', 'refused')`),
    // Ascending, and read backwards: a descending one would have to repeat where nulls go.
    index('attestation_newest').on(table.deviceId, table.at, table.attestationId),
    // Refused attempts are bounded per device by each new one, which must not read the accepted.
    index('attestation_refused')
      .on(table.deviceId, table.at, table.attestationId)
      .where(sql`${table.outcome} = 'refused'`),
    // For retention only: rows arrive in the order of time, which a block range index follows free.
    index('attestation_at').using('brin', table.at),
  ],
)

export type AttestationOutcome = 'accepted' | 'refused'

/** Who did what. Actions that concern no device stand under the device id `service`. */
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
    primaryKey({ columns: [table.deviceId, table.auditId] }),
    index('audit_at').using('brin', table.at),
  ],
)

/** Events that left with the change they announce and wait for delivery. */
export const outbox = pgTable(
  'outbox',
  {
    deviceId: asciiText('device_id').notNull(),
    eventId: uuid('event_id').notNull(),
    type: text('type').notNull(),
    payload: jsonb('payload').$type<Json>().notNull(),
    createdAt: instant('created_at').notNull(),
    deliveredAt: instant('delivered_at'),
    attempts: integer('attempts').notNull().default(0),
    nextAttemptAt: instant('next_attempt_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.deviceId, table.eventId] }),
    index('outbox_undelivered').on(table.nextAttemptAt).where(sql`${table.deliveredAt} is null`),
    index('outbox_delivered').on(table.deliveredAt).where(sql`${table.deliveredAt} is not null`),
  ],
)

/** Programs that may call the API. The secret is 256 random bits, so one plain hash keeps it. */
export const client = pgTable('client', {
  clientId: asciiText('client_id').primaryKey(),
  name: text('name').notNull(),
  secretHash: asciiText('secret_hash').notNull(),
  scopes: text('scopes').array().$type<Scope[]>().notNull(),
  createdAt: instant('created_at').notNull(),
  disabledAt: instant('disabled_at'),
})

/** Immutable content named by the hash of its canonical form. */
export const document = pgTable(
  'document',
  {
    kind: text('kind').$type<DocumentKind>().notNull(),
    hash: asciiText('hash').notNull(),
    body: jsonb('body').$type<Json>().notNull(),
    /** The document of this kind that was in force when this one came; null for the first. */
    parent: asciiText('parent'),
    author: text('author').notNull(),
    reason: text('reason').notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.kind, table.hash] }),
    check('document_kind', sql`${table.kind} in ('policy', 'reference-values')`),
  ],
)

export type { DocumentKind }

/** The last preview of each document over the recorded fleet: what it would have changed. */
export const preview = pgTable(
  'preview',
  {
    kind: text('kind').$type<DocumentKind>().notNull(),
    hash: asciiText('hash').notNull(),
    /** What it was compared with: both documents that were in force. */
    policyHash: asciiText('policy_hash').notNull(),
    referenceValuesHash: asciiText('reference_values_hash').notNull(),
    at: instant('at').notNull(),
    by: text('by').notNull(),
    summary: jsonb('summary').$type<Json>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.kind, table.hash] })],
)

/** The pointer that activation moves. */
export const activeDocument = pgTable('active_document', {
  kind: text('kind').$type<DocumentKind>().primaryKey(),
  hash: asciiText('hash').notNull(),
  activatedAt: instant('activated_at').notNull(),
  activatedBy: text('activated_by').notNull(),
})

/**
 * One row that every decision reads with its trust record: what else steers decisions is read anew
 * when its revision has changed, and kept until then.
 */
export const control = pgTable(
  'control',
  {
    id: smallint('id').primaryKey(),
    revision: integer('revision').notNull(),
  },
  (table) => [check('control_one_row', sql`${table.id} = 1`)],
)

/** How one document takes the place of another: at first for some devices, then for more. */
export const rollout = pgTable(
  'rollout',
  {
    rolloutId: asciiText('rollout_id').primaryKey(),
    kind: text('kind').$type<DocumentKind>().notNull(),
    fromHash: asciiText('from_hash').notNull(),
    toHash: asciiText('to_hash').notNull(),
    state: text('state').$type<RolloutState>().notNull(),
    pass: text('pass').$type<RolloutPass>().notNull(),
    stage: smallint('stage').notNull(),
    plan: jsonb('plan').$type<RolloutPlan>().notNull(),
    /** Since when it is in this pass and stage: bake time counts from here. */
    since: instant('since').notNull(),
    /** The last check of the stage. */
    health: jsonb('health').$type<RolloutHealth>(),
    /** Why it is in this state. */
    note: text('note').notNull(),
    author: text('author').notNull(),
    reason: text('reason').notNull(),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
    /** Counts its steps: of two processes that drive it at once, one takes each step. */
    revision: integer('revision').notNull(),
  },
  (table) => [
    check('rollout_kind', sql`${table.kind} in ('policy', 'reference-values')`),
    check(
      'rollout_state',
      sql`${table.state} in ('running', 'paused', 'halted', 'done', 'reverted')`,
    ),
    check('rollout_pass', sql`${table.pass} in ('audit', 'enforce')`),
    uniqueIndex('rollout_open').on(table.kind).where(sql`${table.state} in ('running', 'paused')`),
  ],
)

/**
 * What processes saw of real questions in one step of a rollout, each in its own row: devices that
 * the old document allowed what the new one denied them.
 */
export const rolloutObservation = pgTable(
  'rollout_observation',
  {
    rolloutId: asciiText('rollout_id').notNull(),
    revision: integer('revision').notNull(),
    reporter: text('reporter').notNull(),
    decisions: integer('decisions').notNull(),
    newlyDenied: integer('newly_denied').notNull(),
    examples: jsonb('examples').$type<readonly string[]>().notNull(),
    causes: jsonb('causes').$type<Readonly<Record<string, number>>>().notNull(),
    at: instant('at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.rolloutId, table.revision, table.reporter] })],
)

/** Exceptions that administrators made for single devices or labels. */
export const override = pgTable(
  'override',
  {
    overrideId: asciiText('override_id').primaryKey(),
    action: text('action').$type<'pin' | 'allow'>().notNull(),
    targetKind: text('target_kind').$type<OverrideTarget['kind']>().notNull(),
    target: text('target').notNull(),
    /** The version that a pin names; null for an allowance. */
    kind: text('kind').$type<DocumentKind>(),
    hash: asciiText('hash'),
    reason: text('reason').notNull(),
    author: text('author').notNull(),
    createdAt: instant('created_at').notNull(),
    expiresAt: instant('expires_at').notNull(),
    endedAt: instant('ended_at'),
  },
  (table) => [
    check('override_action', sql`${table.action} in ('pin', 'allow')`),
    check('override_target_kind', sql`${table.targetKind} in ('device', 'label')`),
    check(
      'override_version',
      sql`num_nulls(${table.kind}, ${table.hash}) = case ${table.action} when 'pin' then 0 else 2 end`,
    ),
  ],
)

/** Causes of denial that do not count for a while, because too many good devices met them at once. */
export const hold = pgTable(
  'hold',
  {
    holdId: asciiText('hold_id').primaryKey(),
    /** Canonical text of the cause, to find it again. */
    causeKey: text('cause_key').notNull(),
    cause: jsonb('cause').$type<Cause>().notNull(),
    /** Devices that met the cause before this are not covered. */
    covers: instant('covers').notNull(),
    since: instant('since').notNull(),
    until: instant('until').notNull(),
    endedAt: instant('ended_at'),
    evidence: jsonb('evidence').$type<Json>().notNull(),
  },
  (table) => [
    index('hold_cause').on(table.causeKey, table.until),
    uniqueIndex('hold_open').on(table.causeKey).where(sql`${table.endedAt} is null`),
  ],
)

/** Who does a job at the moment. A process that dies loses it when the time is over. */
export const jobLease = pgTable('job_lease', {
  job: text('job').primaryKey(),
  holder: text('holder').notNull(),
  until: instant('until').notNull(),
  /** Where the job goes on: a device id, for one that walks the fleet. */
  position: text('position').notNull().default(''),
})

/** Dangerous requests that wait for another administrator to send them too. */
export const secondRequest = pgTable('second_request', {
  /** Of what is asked for, its reason left aside. */
  digest: asciiText('digest').primaryKey(),
  /** Method and path, for people. */
  request: text('request').notNull(),
  requestedBy: text('requested_by').notNull(),
  requestedAt: instant('requested_at').notNull(),
  expiresAt: instant('expires_at').notNull(),
})

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
    sealedPrivateKey: text('sealed_private_key').notNull(),
    createdAt: instant('created_at').notNull(),
    retiresAt: instant('retires_at'),
  },
  (table) => [
    unique('signing_key_generation').on(table.use, table.generation),
    check('signing_key_use', sql`${table.use} in ('attestation', 'device-token', 'receipt')`),
  ],
)

export type SigningKeyUse = 'attestation' | 'device-token' | 'receipt'
