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
  uniqueIndex,
} from 'drizzle-orm/pg-core'
import type { DocumentHash } from '../../base/document-hash.ts'
import type { Cause } from '../../rollout/hold.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { OverrideTarget } from '../../rollout/override.ts'
import type {
  Despite,
  Rollout,
  RolloutHealth,
  RolloutPass,
  RolloutPlan,
  RolloutState,
} from '../../rollout/rollout.ts'
import type { Json } from '../json.ts'
import { asciiText, instant } from './columns.ts'

// What steers decisions and is small: documents, which of them are in force for whom, and exceptions.
// Nothing here grows with the fleet.

/** Immutable content named by the hash of its canonical form. */
export const document = pgTable(
  'document',
  {
    kind: text('kind').$type<DocumentKind>().notNull(),
    hash: asciiText('hash').$type<DocumentHash>().notNull(),
    body: jsonb('body').$type<Json>().notNull(),
    /** The document of this kind that was in force when this one came; null for the first. */
    parent: asciiText('parent').$type<DocumentHash>(),
    author: text('author').notNull(),
    reason: text('reason').notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.kind, table.hash] }),
    check('document_kind', sql`${table.kind} in ('policy', 'reference-values')`),
  ],
)

/** The last preview of each document over the recorded fleet: what it would have changed. */
export const preview = pgTable(
  'preview',
  {
    kind: text('kind').$type<DocumentKind>().notNull(),
    hash: asciiText('hash').$type<DocumentHash>().notNull(),
    /** What it was compared with: both documents that were in force. */
    policyHash: asciiText('policy_hash').$type<DocumentHash>().notNull(),
    referenceValuesHash: asciiText('reference_values_hash').$type<DocumentHash>().notNull(),
    at: instant('at').notNull(),
    by: text('by').notNull(),
    summary: jsonb('summary').$type<Json>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.kind, table.hash] })],
)

/** The pointer that activation moves. */
export const activeDocument = pgTable('active_document', {
  kind: text('kind').$type<DocumentKind>().primaryKey(),
  hash: asciiText('hash').$type<DocumentHash>().notNull(),
  activatedAt: instant('activated_at').notNull(),
  activatedBy: text('activated_by').notNull(),
  /** What was in force before; `null` once somebody returned to it, and for the first. */
  previous: asciiText('previous').$type<DocumentHash>(),
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
    fromHash: asciiText('from_hash').$type<DocumentHash>().notNull(),
    toHash: asciiText('to_hash').$type<DocumentHash>().notNull(),
    /** The document of the other kind that was in force at the beginning, if one was. */
    besideHash: asciiText('beside_hash').$type<DocumentHash>(),
    state: text('state').$type<RolloutState>().notNull(),
    pass: text('pass').$type<RolloutPass>().notNull(),
    stage: smallint('stage').notNull(),
    plan: jsonb('plan').$type<RolloutPlan>().notNull(),
    /** Since when it is in this pass and stage: bake time counts from here. */
    since: instant('since').notNull(),
    /** Index of a stage to the ISO 8601 time since which the new document decides for it. */
    enforcedAt: jsonb('enforced_at')
      .$type<Rollout['enforcedAt']>()
      .notNull()
      .default(sql`'{}'::jsonb`),
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
    /** Of a halted one: who released its document all the same, the last time. */
    despite: jsonb('despite').$type<Despite>(),
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
    hash: asciiText('hash').$type<DocumentHash>(),
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
      sql`num_nulls(${table.kind}, ${table.hash}) = case when ${table.action} = 'pin' then 0 else 2 end`,
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

/** What whoever went through the whole fleet last has counted: a row for the sweep, and one for the forecast. */
export const fleetSummary = pgTable('fleet_summary', {
  name: asciiText('name').primaryKey(),
  /** `FleetCounts` of the sweep; of the forecast the documents and `StoredForecast`. */
  body: jsonb('body').$type<Json>().notNull(),
  at: instant('at').notNull(),
})

/**
 * What sweeps counted before: of each quarter of an hour the last, for as long as people look back. It grows with
 * time up to there, and not with the fleet.
 */
export const fleetHistory = pgTable('fleet_history', {
  /** The beginning of the quarter. */
  period: instant('period').primaryKey(),
  body: jsonb('body').$type<FleetCounts>().notNull(),
  at: instant('at').notNull(),
})

/** What a forecast counts, by how many days it looks ahead (`replay/forecast`). */
export type StoredForecast = {
  readonly devices: number
  readonly allowed: number
  readonly failing: readonly number[]
  readonly causes: Readonly<
    Record<
      string,
      {
        readonly failing: readonly number[]
        readonly first: number
        readonly examples: readonly string[]
      }
    >
  >
}

export type FleetCounts = {
  /** Devices by what others are told of them. */
  readonly verdicts: Readonly<Record<string, number>>
  /** Devices by clause, `SEVERITY:CLAUSE`: those that fail it, or cannot be decided by it. */
  readonly failing: Readonly<Record<string, number>>
}

/** Dangerous requests that wait for another administrator to send them too. */
export const secondRequest = pgTable('second_request', {
  /** Of what is asked for, its reason left aside. */
  digest: asciiText('digest').primaryKey(),
  /** Method and path, for people. */
  request: text('request').notNull(),
  /** As it was sent; null where a process of before wrote it down. */
  body: text('body'),
  requestedBy: text('requested_by').notNull(),
  requestedAt: instant('requested_at').notNull(),
  expiresAt: instant('expires_at').notNull(),
})

/**
 * Certificates of issuers under which a path ended at a trust anchor, so that no process fetches them
 * again. They are reasons for nothing: each path is verified anew.
 */
export const issuerCertificate = pgTable(
  'issuer_certificate',
  {
    /** base64url SHA-256 of the DER. */
    fingerprint: asciiText('fingerprint').primaryKey(),
    /** Its subject key identifier in hexadecimal; null where it names none. */
    keyId: asciiText('key_id'),
    /** base64url SHA-256 of its subject's name. */
    nameHash: asciiText('name_hash').notNull(),
    /** base64 of the DER. */
    certificate: asciiText('certificate').notNull(),
    /** Fingerprint of the anchor at which the path ended. */
    anchor: asciiText('anchor').notNull(),
    validUntil: instant('valid_until').notNull(),
    keptAt: instant('kept_at').notNull(),
  },
  (table) => [
    index('issuer_certificate_key').on(table.keyId),
    index('issuer_certificate_name').on(table.nameHash),
    index('issuer_certificate_kept').on(table.keptAt),
  ],
)

/**
 * What each process found last about each verifier: by its own probes (`answers`) and by tokens that
 * came to it from the verifier itself (`believed`). Whether that is an outage is judged from all rows.
 */
export const verifierObservation = pgTable(
  'verifier_observation',
  {
    issuer: text('issuer').notNull(),
    sign: text('sign').$type<VerifierSign>().notNull(),
    /** The process that tells it. */
    reporter: text('reporter').notNull(),
    /** Null where all was well. */
    failure: text('failure'),
    /** Since when the process has found the same, well or not, without a break. */
    since: instant('since').notNull(),
    rounds: integer('rounds').notNull(),
    at: instant('at').notNull(),
    /** From then on it says nothing: the process is gone. */
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.issuer, table.sign, table.reporter] }),
    check('verifier_observation_sign', sql`${table.sign} in ('answers', 'believed')`),
  ],
)

export type VerifierSign = 'answers' | 'believed'
