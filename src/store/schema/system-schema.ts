import { sql } from 'drizzle-orm'
import {
  bigint,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core'
import type { ClientKeys } from '../../oauth/client-keys.ts'
import type { Scope } from '../../oauth/scopes.ts'
import type { Json } from '../json.ts'
import { asciiText, instant } from './columns.ts'

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
    /** What was so before, what is so now, and why. */
    detail: jsonb('detail').$type<Json>().notNull(),
    /** From where and by which request, as whoever sent the statement says (`AuditedRequest`). */
    request: jsonb('request')
      .$type<Json>()
      .default(sql`nullif(current_setting('countersign.request'::text, true), ''::text)::jsonb`),
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
 * Programs that may call the API, each by a secret or by keys of its own. A secret is 256 random bits, so one
 * plain hash keeps it. While one is being replaced there are two. When each was used last is kept to the hour, and decides nothing.
 */
export const client = pgTable(
  'client',
  {
    clientId: asciiText('client_id').primaryKey(),
    name: text('name').notNull(),
    /** Null for a client that proves itself by keys. */
    secretHash: asciiText('secret_hash'),
    /** Null for a client that proves itself by a secret. */
    keys: jsonb('keys').$type<ClientKeys>(),
    scopes: text('scopes').array().$type<Scope[]>().notNull(),
    createdAt: instant('created_at').notNull(),
    disabledAt: instant('disabled_at'),
    /** Null for the secret that the client was created with. */
    secretChangedAt: instant('secret_changed_at'),
    /** From then on the secret does not count; null where nobody said when. */
    secretExpiresAt: instant('secret_expires_at'),
    secretUsedAt: instant('secret_used_at'),
    // Both are null without a secret before that one.
    previousSecretHash: asciiText('previous_secret_hash'),
    previousSecretUntil: instant('previous_secret_until'),
    previousSecretUsedAt: instant('previous_secret_used_at'),
    /** Access tokens of another generation do not count. Raised by whatever has to end them all. */
    generation: integer('generation').notNull().default(1),
    /** Access tokens that ended before their time, by id, and when they would have: few, and no others. */
    revokedTokens: jsonb('revoked_tokens')
      .$type<Readonly<Record<string, string>>>()
      .notNull()
      .default(sql`'{}'::jsonb`),
  },
  (table) => [
    check('client_proven_by_one', sql`num_nulls(${table.secretHash}, ${table.keys}) = 1`),
    check(
      'client_previous_secret_whole',
      sql`num_nulls(${table.previousSecretHash}, ${table.previousSecretUntil}) in (0, 2)`,
    ),
  ],
)

/**
 * Proofs and assertions of callers that were used up, as long as one could be handed in again; partitioned by
 * when that ends, which each of them says itself. `proof_id` is a hash of who made it and of its `jti`.
 */
export const spentProof = pgTable(
  'spent_proof',
  {
    proofId: asciiText('proof_id').notNull(),
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.proofId, table.expiresAt] })],
)

/**
 * What became of a change that its caller gave a key (`Idempotency-Key`), for as long as it may be sent again.
 * `key_id` is a hash of the caller and of its key. Without a status the change has begun, and nothing else is known.
 */
export const keptAnswer = pgTable(
  'kept_answer',
  {
    keyId: asciiText('key_id').primaryKey(),
    /** base64url of a SHA-256 over method, target and body. */
    requestHash: asciiText('request_hash').notNull(),
    at: instant('at').notNull(),
    status: integer('status'),
    headers: jsonb('headers').$type<Readonly<Record<string, string>>>(),
    body: text('body'),
  },
  (table) => [index('kept_answer_at').on(table.at)],
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
      sql`${table.use} in ('attestation', 'device-token', 'receipt', 'enrolment', 'security-event', 'access-token', 'sign-in', 'external-evaluation', 'audit-log')`,
    ),
  ],
)

/** Secrets that outlive the master secret that they are sealed with. */
export const sealedSecret = pgTable('sealed_secret', {
  name: asciiText('name').primaryKey(),
  sealed: text('sealed').notNull(),
  createdAt: instant('created_at').notNull(),
})

/** What our own keys are for. A version that does not know a use passes its keys over. */
export const SIGNING_KEY_USES = [
  'attestation',
  'device-token',
  'receipt',
  'enrolment',
  'security-event',
  'access-token',
  'sign-in',
  'external-evaluation',
  'audit-log',
] as const

export type SigningKeyUse = (typeof SIGNING_KEY_USES)[number]
