import { and, asc, desc, eq, gt, lt, or, sql } from 'drizzle-orm'
import { type Database, prepareChange } from '../drivers/database.ts'
import { newRecordId } from '../record-id.ts'
import { issuerCertificate } from '../schema/steering-schema.ts'

/** Certificates of issuers that some process found, and under which a path ended at an anchor. */
export type IssuerCertificates = {
  /**
   * DER in base64 of those that were kept for a key, or for a name where no key is said, and that are
   * not over at `now`: the last ones, a few at most. `keyId` is a subject key
   * identifier in hexadecimal, `nameHash` base64url of the SHA-256 of a name.
   */
  readonly issuerCertificates: (wanted: {
    readonly keyId: string | null
    readonly nameHash: string
    readonly now: Date
  }) => Promise<readonly string[]>
  /** Keeps one of a path that was verified. `unchanged` if it is there already. */
  readonly keepIssuerCertificate: (
    input: IssuerCertificateToKeep,
  ) => Promise<'applied' | 'unchanged'>
  /** Those that are not over at `now` and end before `before`, the earliest first. */
  readonly issuerCertificateEnds: (query: {
    readonly now: Date
    readonly before: Date
    readonly limit: number
  }) => Promise<readonly KeptIssuerCertificate[]>
}

/** `certificate`: base64 of the DER. */
export type KeptIssuerCertificate = Pick<
  typeof issuerCertificate.$inferSelect,
  'fingerprint' | 'certificate' | 'validUntil' | 'keptAt'
>

export type IssuerCertificateToKeep = {
  /** base64url SHA-256 of the DER. */
  readonly fingerprint: string
  readonly keyId: string | null
  readonly nameHash: string
  /** base64 of the DER. */
  readonly certificate: string
  /** Fingerprint of the anchor at which the path ended. */
  readonly anchor: string
  readonly validUntil: Date
  readonly now: Date
  /** How many there may be: the oldest make room. */
  readonly most: number
}

/** An authority has renewed its certificate a few times under one key. */
const FOUND = 8

const KEEP = [
  'p_fingerprint',
  'p_key_id',
  'p_name_hash',
  'p_certificate',
  'p_anchor',
  'p_valid_until',
  'p_at',
  'p_most',
  'p_audit_id',
] as const

export function prepareIssuerCertificates(db: Database): IssuerCertificates {
  const find = db
    .select({ certificate: issuerCertificate.certificate })
    .from(issuerCertificate)
    .where(
      and(
        or(
          eq(issuerCertificate.keyId, sql.placeholder('key_id')),
          eq(issuerCertificate.nameHash, sql.placeholder('name_hash')),
        ),
        gt(issuerCertificate.validUntil, sql.placeholder('now')),
      ),
    )
    .orderBy(desc(issuerCertificate.keptAt))
    .limit(FOUND)
    .prepare('issuer_certificates')
  const keep = prepareChange<(typeof KEEP)[number], 'applied' | 'unchanged'>(
    db,
    'keep_issuer_certificate',
    KEEP,
  )
  const { fingerprint, certificate, validUntil, keptAt } = issuerCertificate
  const ends = db
    .select({ fingerprint, certificate, validUntil, keptAt })
    .from(issuerCertificate)
    .where(and(gt(validUntil, sql.placeholder('now')), lt(validUntil, sql.placeholder('before'))))
    .orderBy(asc(validUntil))
    .limit(sql.placeholder('limit'))
    .prepare('issuer_certificate_ends')
  return {
    issuerCertificateEnds: (query) => ends.execute(query),
    async issuerCertificates({ keyId, nameHash, now }) {
      const rows = await find.execute({ key_id: keyId, name_hash: nameHash, now })
      return rows.map(({ certificate }) => certificate)
    },
    keepIssuerCertificate: (input) =>
      keep({
        p_fingerprint: input.fingerprint,
        p_key_id: input.keyId,
        p_name_hash: input.nameHash,
        p_certificate: input.certificate,
        p_anchor: input.anchor,
        p_valid_until: input.validUntil.toISOString(),
        p_at: input.now.toISOString(),
        p_most: input.most,
        p_audit_id: newRecordId(input.now),
      }),
  }
}
