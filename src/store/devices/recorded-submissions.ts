import { and, eq, ne, notExists, sql } from 'drizzle-orm'
import type { RecordedAttestation, TrustRecord } from '../../access/trust-record.ts'
import type { Database } from '../drivers/database.ts'
import type { Json } from '../json.ts'
import { attestation, device, type RecordedVerdict } from '../schema/device-schema.ts'
import { audit } from '../schema/system-schema.ts'
import { recordColumns, toTrustRecord } from './trust-records.ts'

export type RecordedSubmissions = {
  /**
   * What a device's last attestation was recorded as, if these very texts were handed in for it and
   * nothing was done about the device since: nobody signed it out, changed its standing or anything else
   * that the audit log tells, so that its generation is the one of then. `null` in every other case.
   */
  readonly recordedSubmission: (input: SubmissionSought) => Promise<RecordedSubmission | null>
}

/** Digests are SHA-256 in base64url, as an attestation keeps them. */
export type SubmissionSought = {
  readonly deviceId: string
  readonly tokenDigest: string
  readonly proofDigest: string
}

export type RecordedSubmission = {
  readonly record: TrustRecord & { readonly attestation: RecordedAttestation }
  /** On the evidence alone, as it was recorded. */
  readonly verdict: RecordedVerdict
  readonly reasons: readonly Json[]
  /** Its place in the list of statuses, not shuffled. */
  readonly statusPlace: number | null
}

export function prepareRecordedSubmissions(db: Database): RecordedSubmissions {
  const digestOf = (name: string) => sql<string>`${attestation.digests} ->> ${sql.raw(`'${name}'`)}`
  const doneSince = db
    .select({ one: sql`1` })
    .from(audit)
    .where(
      and(
        eq(audit.deviceId, device.deviceId),
        sql`${audit.at} >= ${device.attestedAt}`,
        // A key that was new to the device is linked by the submission itself.
        ne(audit.action, 'device.linked'),
      ),
    )
  const sought = db
    .select({
      ...recordColumns,
      statusPlace: device.statusPlace,
      verdict: attestation.verdict,
      reasons: attestation.reasons,
    })
    .from(device)
    .innerJoin(
      attestation,
      and(
        eq(attestation.deviceId, device.deviceId),
        eq(attestation.at, device.attestedAt),
        eq(attestation.attestationId, device.attestationId),
      ),
    )
    .where(
      and(
        eq(device.deviceId, sql.placeholder('deviceId')),
        // Of another process, whose clock is behind, the audit row alone would not tell.
        eq(device.updatedAt, device.attestedAt),
        notExists(doneSince),
        eq(digestOf('token'), sql.placeholder('token')),
        eq(digestOf('proof'), sql.placeholder('proof')),
      ),
    )
    .prepare('recorded_submission')

  return {
    async recordedSubmission({ deviceId, tokenDigest: token, proofDigest: proof }) {
      const [row] = await sought.execute({ deviceId, token, proof })
      if (row === undefined) return null
      const { attestation: recorded, ...record } = toTrustRecord(row)
      if (recorded === null) throw new TypeError('what is recorded has an attestation')
      const { verdict, reasons, statusPlace } = row
      return { record: { ...record, attestation: recorded }, verdict, reasons, statusPlace }
    },
  }
}
