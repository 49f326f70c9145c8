import { and, asc, eq, gt, max, sql } from 'drizzle-orm'
import { type Database, onlyRow, prepareChange } from '../drivers/database.ts'
import { encodeText } from '../json.ts'
import { attestation } from '../schema/device-schema.ts'
import { type VerifierSign, verifierObservation } from '../schema/steering-schema.ts'

/** What processes find about verifiers, each in its own rows, for all of them to judge together. */
export type VerifierObservations = {
  /** `superseded`: the process has told something later. Decides nothing and is not audited. */
  readonly observeVerifier: (input: {
    readonly issuer: string
    readonly sign: VerifierSign
    /** The process that tells it. */
    readonly reporter: string
    /** `null` where all is well. */
    readonly failure: string | null
    readonly at: Date
    readonly expiresAt: Date
  }) => Promise<'applied' | 'superseded'>
  /** Those that have not expired, by issuer, sign and process. */
  readonly verifierObservations: (now: Date) => Promise<readonly VerifierObservation[]>
  /** Removes what has expired; answers with how many rows. */
  readonly forgetVerifierObservations: (now: Date) => Promise<number>
  /** When a token of the issuer was accepted last, by any process, after `since`. */
  readonly lastAccepted: (issuer: string, since: Date) => Promise<Date | null>
}

export type VerifierObservation = typeof verifierObservation.$inferSelect

const OBSERVE = ['p_issuer', 'p_sign', 'p_reporter', 'p_failure', 'p_at', 'p_expires_at'] as const

export function prepareVerifierObservations(db: Database): VerifierObservations {
  const observe = prepareChange<(typeof OBSERVE)[number], 'applied' | 'superseded'>(
    db,
    'observe_verifier',
    OBSERVE,
  )
  const forget = db
    .select({ rows: sql<number>`rows` })
    .from(sql`forget_verifier_observations(p_now => ${sql.placeholder('p_now')}) as rows`)
    .prepare('forget_verifier_observations')
  return {
    observeVerifier: ({ issuer, sign, reporter, failure, at, expiresAt }) =>
      observe({
        p_issuer: encodeText(issuer),
        p_sign: sign,
        p_reporter: reporter,
        p_failure: failure,
        p_at: at.toISOString(),
        p_expires_at: expiresAt.toISOString(),
      }),
    verifierObservations: (now) =>
      db
        .select()
        .from(verifierObservation)
        .where(gt(verifierObservation.expiresAt, now))
        .orderBy(
          asc(verifierObservation.issuer),
          asc(verifierObservation.sign),
          asc(verifierObservation.reporter),
        ),
    async forgetVerifierObservations(now) {
      return onlyRow(await forget.execute({ p_now: now.toISOString() })).rows
    },
    async lastAccepted(issuer, since) {
      // A maximum and no first row: whoever looks for one row only may read all that do not match.
      const rows = await db
        .select({ at: max(attestation.at) })
        .from(attestation)
        .where(and(gt(attestation.at, since), eq(attestation.issuer, issuer)))
      return onlyRow(rows).at
    },
  }
}
