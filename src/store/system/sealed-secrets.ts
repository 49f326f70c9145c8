import { eq, sql } from 'drizzle-orm'
import { type Database, prepareChange } from '../drivers/database.ts'
import { encodeJson, encodeText } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { sealedSecret } from '../schema/system-schema.ts'

/** Secrets that must outlive the master secret, sealed with it. Room `keys` opens them. */
export type SealedSecrets = {
  /** In base64; `null` if there is none of this name. */
  readonly sealedSecret: (name: string) => Promise<string | null>
  /** Of several processes that make a secret at once one wins, and the others must read the winner's. */
  readonly insertSealedSecretIfAbsent: (input: {
    readonly name: string
    readonly sealed: string
    readonly now: Date
  }) => Promise<boolean>
  /**
   * Puts what was sealed anew in the place of what was sealed before, all of it in one statement.
   * What another process has resealed already stays; `unchanged` if that was everything.
   */
  readonly reseal: (input: SecretsToReseal) => Promise<'applied' | 'unchanged'>
}

export type SecretsToReseal = {
  /** By `kid`. */
  readonly signingKeys: readonly Resealed[]
  /** By name. */
  readonly secrets: readonly Resealed[]
  readonly by: string
  readonly now: Date
}

export type Resealed = { readonly name: string; readonly from: string; readonly to: string }

const RESEAL = ['p_signing_keys', 'p_secrets', 'p_at', 'p_by', 'p_audit_id'] as const

export function prepareSealedSecrets(db: Database): SealedSecrets {
  const find = db
    .select({ sealed: sealedSecret.sealed })
    .from(sealedSecret)
    .where(eq(sealedSecret.name, sql.placeholder('name')))
    .prepare('sealed_secret')
  const reseal = prepareChange<(typeof RESEAL)[number], 'applied' | 'unchanged'>(
    db,
    'reseal_secrets',
    RESEAL,
  )
  return {
    async sealedSecret(name) {
      const [row] = await find.execute({ name })
      return row?.sealed ?? null
    },
    async insertSealedSecretIfAbsent({ name, sealed, now }) {
      const kept = await db
        .insert(sealedSecret)
        .values({ name, sealed, createdAt: now })
        .onConflictDoNothing()
        .returning({ name: sealedSecret.name })
      return kept.length === 1
    },
    reseal: ({ signingKeys, secrets, by, now }) =>
      reseal({
        p_signing_keys: encodeJson(signingKeys),
        p_secrets: encodeJson(secrets),
        p_at: now.toISOString(),
        p_by: encodeText(by),
        p_audit_id: newRecordId(now),
      }),
  }
}
