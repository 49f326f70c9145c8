import { and, desc, eq, gte, inArray, or, type SQL, sql } from 'drizzle-orm'
import { unionAll } from 'drizzle-orm/pg-core'
import type { RecordedAttestation } from '../../access/trust-record.ts'
import type { AttestationClaims } from '../../appraisal/claims.ts'
import type { Database } from '../drivers/database.ts'
import type { Json } from '../json.ts'
import {
  attestation,
  type RecordedVerdict,
  recentAttestation,
  refusal,
} from '../schema/device-schema.ts'
import { beginOfPeriod } from '../schema/partitioned.ts'
import { pageRows } from './device-reads.ts'
import { namesOfDevice } from './read-links.ts'
import { STRANGERS } from './recording.ts'
import { storableId } from './trust-records.ts'

export type DeviceHistory = {
  /**
   * Attempts of a device, newest first, refused ones among them: by its id or any further name of it,
   * and under all of them. Of a silent device the last accepted ones are there without their details
   * (claims, digests, trace, issuer and hashes) when all else of its history is gone.
   */
  readonly deviceHistory: (deviceId: string, query: HistoryQuery) => Promise<HistoryPage>
  /** Refused attempts of whichever device, the newest first. */
  readonly listRefusals: (query: {
    readonly since: Date
    readonly limit: number
    /** `nextBefore` of the page before. */
    readonly before?: RefusalPosition | undefined
  }) => Promise<RefusalPage>
}

export type RefusalPosition = { readonly at: Date; readonly attestationId: string }

export type RefusalPage = {
  readonly refusals: readonly RefusedAttempt[]
  readonly nextBefore: RefusalPosition | null
}

export type RefusedAttempt = RefusalPosition & {
  /** Whose proven key it was. Nobody vouches for a stranger's, and it may have no record. */
  readonly deviceId: string
  readonly isStranger: boolean
  readonly stage: string
  readonly reasons: readonly Json[]
  readonly issuer: string | null
}

export type HistoryQuery = {
  readonly limit: number
  /** `nextBefore` of the page before: an attestation id. */
  readonly before?: string
}

export type HistoryPage = {
  readonly entries: readonly HistoryEntry[]
  readonly nextBefore: string | null
}

export type HistoryEntry = {
  readonly attestationId: string
  readonly at: Date
  readonly outcome: 'accepted' | 'refused'
  /** Where a refused attempt ended; null for an accepted one. */
  readonly stage: string | null
  readonly verdict: RecordedVerdict | null
  readonly reasons: readonly Json[]
  readonly claims: AttestationClaims | null
  readonly digests: Readonly<Record<string, string>>
  readonly trace: Json
  readonly issuer: string | null
  readonly attestationPolicyHash: RecordedAttestation['attestationPolicyHash'] | null
  readonly evaluatedPolicyHash: string | null
  readonly referenceValuesHash: string | null
}

export function prepareDeviceHistory(db: Database): DeviceHistory {
  return {
    async deviceHistory(deviceId, { limit, before }) {
      const id = storableId(deviceId)
      const attempt = db.$with('attempt').as(attemptsUnder(db, await namesOfDevice(db, id)))
      const rows = await db
        .with(attempt)
        .select()
        .from(attempt)
        .where(
          // An attestation id that is no longer kept ends the list instead of beginning it anew.
          before === undefined
            ? undefined
            : sql`(${attempt.at}, ${attempt.attestationId}) < (select last.at, last.attestation_id
                from ${attempt} as last where last.attestation_id = ${storableId(before)})`,
        )
        .orderBy(desc(attempt.at), desc(attempt.attestationId))
        .limit(pageRows(limit) + 1)
      const entries = rows.slice(0, pageRows(limit))
      const isLast = rows.length === entries.length
      return { entries, nextBefore: isLast ? null : (entries.at(-1)?.attestationId ?? null) }
    },
    async listRefusals({ since, limit: asked, before }) {
      const limit = pageRows(asked)
      const rows = await db
        .select({
          at: refusal.at,
          attestationId: refusal.attestationId,
          deviceId: sql<string>`coalesce(${strangerOf}, ${refusal.deviceId})`,
          isStranger: sql<boolean>`${refusal.deviceId} = ${STRANGERS}`,
          stage: refusal.stage,
          reasons: refusal.reasons,
          issuer: refusal.issuer,
        })
        .from(refusal)
        .where(
          and(
            gte(refusal.at, since),
            // Of partitions that are older than a week before it none is opened.
            gte(refusal.period, beginOfPeriod('refusal', since)),
            before &&
              sql`(${refusal.at}, ${refusal.attestationId}) < (${before.at.toISOString()}::timestamptz, ${before.attestationId})`,
          ),
        )
        .orderBy(desc(refusal.at), desc(refusal.attestationId))
        .limit(limit + 1)
      const refusals = rows.slice(0, limit)
      const last = refusals.at(-1)
      const isLast = rows.length === refusals.length || last === undefined
      const nextBefore = isLast ? null : { at: last.at, attestationId: last.attestationId }
      return { refusals, nextBefore }
    },
  }
}

/** The device of a stranger's attempt: its row stands under the name that strangers share. */
const strangerOf = sql`${refusal.reasons} -> 0 ->> 'device_id'`

/** From where each kind of attempt is kept, in the same columns. */
function attemptsUnder(db: Database, names: readonly [string, ...string[]]) {
  const accepted = db
    .select({
      attestationId: attestation.attestationId,
      at: attestation.at,
      outcome: named<HistoryEntry['outcome']>(sql`'accepted'`, 'outcome'),
      stage: named<string | null>(sql`null::text`, 'stage'),
      verdict: named<RecordedVerdict | null>(sql`${attestation.verdict}`, 'verdict'),
      reasons: attestation.reasons,
      claims: named<AttestationClaims | null>(sql`${attestation.claims}`, 'claims'),
      digests: attestation.digests,
      trace: named<Json>(sql`${attestation.trace}`, 'trace'),
      issuer: named<string | null>(sql`${attestation.issuer}`, 'issuer'),
      attestationPolicyHash: named<HistoryEntry['attestationPolicyHash']>(
        sql`${attestation.attestationPolicyHash}`,
        'policy_hash',
      ),
      evaluatedPolicyHash: attestation.evaluatedPolicyHash,
      referenceValuesHash: attestation.referenceValuesHash,
    })
    .from(attestation)
    .where(inArray(attestation.deviceId, [...names]))
  const refused = db
    .select({
      attestationId: refusal.attestationId,
      at: refusal.at,
      outcome: sql<HistoryEntry['outcome']>`'refused'`,
      stage: sql<string | null>`${refusal.stage}`,
      verdict: sql<RecordedVerdict | null>`null::text`,
      reasons: refusal.reasons,
      claims: sql<AttestationClaims | null>`${refusal.claims}`,
      digests: refusal.digests,
      trace: sql<Json>`${refusal.trace}`,
      issuer: sql<string | null>`${refusal.issuer}`,
      attestationPolicyHash: sql<
        HistoryEntry['attestationPolicyHash']
      >`${refusal.attestationPolicyHash}`,
      evaluatedPolicyHash: sql<string | null>`null::text`,
      referenceValuesHash: refusal.referenceValuesHash,
    })
    .from(refusal)
    .where(
      or(
        inArray(refusal.deviceId, [...names]),
        and(eq(refusal.deviceId, STRANGERS), inArray(strangerOf, [...names])),
      ),
    )
  const isDetailed = sql`exists (select from ${attestation}
    where ${inArray(attestation.deviceId, [...names])} and ${attestation.at} = x.at
      and ${attestation.attestationId} = x."attestationId")`
  const recent = db
    .select({
      attestationId: sql<string>`x."attestationId"`,
      at: sql<Date>`x.at`,
      outcome: sql<HistoryEntry['outcome']>`'accepted'`,
      stage: sql<string | null>`null::text`,
      verdict: sql<RecordedVerdict | null>`x.verdict`,
      reasons: sql<readonly Json[]>`x.reasons`,
      claims: sql<AttestationClaims | null>`null::jsonb`,
      digests: sql<Readonly<Record<string, string>>>`'{}'::jsonb`,
      trace: sql<Json>`null::jsonb`,
      issuer: sql<string | null>`null::text`,
      attestationPolicyHash: sql<HistoryEntry['attestationPolicyHash']>`null::text`,
      evaluatedPolicyHash: sql<string | null>`null::text`,
      referenceValuesHash: sql<string | null>`null::text`,
    })
    .from(
      sql`${recentAttestation}, jsonb_to_recordset(${recentAttestation.attestations})
        as x("attestationId" text, at timestamptz(3), verdict text, reasons jsonb)`,
    )
    .where(and(inArray(recentAttestation.deviceId, [...names]), sql`not ${isDetailed}`))
  return unionAll(accepted, refused, recent)
}

function named<T>(expression: SQL, alias: string): SQL.Aliased<T> {
  return expression.as<T>(alias) as SQL.Aliased<T>
}
