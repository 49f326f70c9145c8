import { and, eq, inArray, isNull, lt } from 'drizzle-orm'
import type { Database } from '../drivers/database.ts'
import { encodeText } from '../json.ts'
import { keptAnswer } from '../schema/system-schema.ts'

/** Answers to changes that may be sent again under the same key. */
export type KeptAnswers = {
  /**
   * Begins a change under a key: `undefined` for one of any number of calls with that key, of any processes, and
   * for all others what is known of the first.
   */
  readonly beginChange: (change: BegunChange) => Promise<KnownChange | undefined>
  /** Keeps what it was answered with. */
  readonly keepAnswer: (keyId: string, answer: KeptAnswer) => Promise<void>
  /** Frees the key of a change that was refused, and so did not happen. */
  readonly freeKey: (keyId: string) => Promise<void>
  /** Forgets a batch of keys that were first used before; answers how many. */
  readonly forgetAnswers: (query: {
    readonly before: Date
    readonly batch: number
  }) => Promise<number>
}

export type BegunChange = {
  /** base64url of a SHA-256 over the caller and its key. */
  readonly keyId: string
  /** The same over what is asked for. */
  readonly requestHash: string
  readonly at: Date
}

export type KeptAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type KnownChange = Pick<BegunChange, 'requestHash' | 'at'> & {
  /** `null` while nothing is known but that it has begun. */
  readonly answer: KeptAnswer | null
}

export function prepareKeptAnswers(db: Database): KeptAnswers {
  return {
    async beginChange(change) {
      const begun = await db
        .insert(keptAnswer)
        .values(change)
        .onConflictDoNothing()
        .returning({ keyId: keptAnswer.keyId })
      if (begun.length === 1) return undefined
      const [known] = await db.select().from(keptAnswer).where(eq(keptAnswer.keyId, change.keyId))
      // It was refused, or forgotten, between the two statements: whoever asks again begins it.
      if (known === undefined)
        return { requestHash: change.requestHash, at: change.at, answer: null }
      const { requestHash, at, status, headers, body } = known
      const answer = status === null ? null : { status, headers: headers ?? {}, body: body ?? '' }
      return { requestHash, at, answer }
    },
    async keepAnswer(keyId, { status, headers, body }) {
      await db
        .update(keptAnswer)
        .set({ status, headers, body: encodeText(body) })
        .where(eq(keptAnswer.keyId, keyId))
    },
    async freeKey(keyId) {
      await db.delete(keptAnswer).where(and(eq(keptAnswer.keyId, keyId), isNull(keptAnswer.status)))
    },
    async forgetAnswers({ before, batch }) {
      const old = db
        .select({ keyId: keptAnswer.keyId })
        .from(keptAnswer)
        .where(lt(keptAnswer.at, before))
        .limit(batch)
      const gone = await db
        .delete(keptAnswer)
        .where(inArray(keptAnswer.keyId, old))
        .returning({ keyId: keptAnswer.keyId })
      return gone.length
    },
  }
}
