import { sql } from 'drizzle-orm'
import type { Database } from '../drivers/database.ts'
import { spentProof } from '../schema/system-schema.ts'

export type SpentProofs = {
  /**
   * Uses up a proof or an assertion of a caller. Of any number of calls with one `proofId` and one end, of
   * any processes, exactly one answers `true`.
   */
  readonly spendProof: (proof: ProofToSpend) => Promise<boolean>
}

export type ProofToSpend = {
  /** base64url of a SHA-256 over who made it and its `jti`. */
  readonly proofId: string
  /** From then on it is refused for its age; follows from the proof alone. */
  readonly expiresAt: Date
}

export function prepareSpentProofs(db: Database): SpentProofs {
  const spend = db
    .insert(spentProof)
    .values({ proofId: sql.placeholder('proofId'), expiresAt: sql.placeholder('expiresAt') })
    .onConflictDoNothing()
    .returning({ one: sql<number>`1` })
    .prepare('spend_proof')
  return {
    async spendProof(proof) {
      return (await spend.execute(proof)).length === 1
    },
  }
}
