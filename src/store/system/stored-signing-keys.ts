import { asc } from 'drizzle-orm'
import type { Database } from '../drivers/database.ts'
import type { Json } from '../json.ts'
import { type SigningKeyUse, signingKey } from '../schema/schema.ts'

/** Our signing keys as they are kept: the private halves sealed. Room `keys` opens them. */
export type StoredSigningKeys = {
  /** All of them, by use and then oldest first. */
  readonly listSigningKeys: () => Promise<readonly StoredSigningKey[]>
  /**
   * Keeps a key unless one of the same use and generation is there already: of several processes
   * that make a key at once exactly one is told `true`, and the others must read the winner's.
   */
  readonly insertSigningKeyIfAbsent: (key: StoredSigningKey) => Promise<boolean>
}

export type StoredSigningKey = {
  readonly kid: string
  readonly use: SigningKeyUse
  /** 1 for the first key of a use; its successor has the next number. */
  readonly generation: number
  readonly algorithm: string
  readonly publicJwk: Json
  /** DER in base64, for keys that are published as a certificate. */
  readonly certificate: string | null
  readonly sealedPrivateKey: string
  readonly createdAt: Date
  /** From then on the key is neither used nor published. */
  readonly retiresAt: Date | null
}

export function prepareSigningKeys(db: Database): StoredSigningKeys {
  return {
    async listSigningKeys() {
      return await db
        .select()
        .from(signingKey)
        .orderBy(asc(signingKey.use), asc(signingKey.generation))
    },
    async insertSigningKeyIfAbsent(key) {
      const kept = await db
        .insert(signingKey)
        .values(key)
        .onConflictDoNothing()
        .returning({ kid: signingKey.kid })
      return kept.length === 1
    },
  }
}
