import { and, desc, eq, getTableColumns, gt } from 'drizzle-orm'
import { storableId } from '../devices/trust-records.ts'
import { type Database, prepareChange } from '../drivers/database.ts'
import { encodeText } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { secondRequest } from '../schema/steering-schema.ts'

/** Dangerous requests that two administrators have to send. */
export type SecondRequests = {
  /**
   * `seconded`: somebody else sent the same within its time, and both together are one request,
   * which is used up. `waiting`: the other one is still to come. `nothing_waits`: nobody else did, and it may not
   * be the first one.
   */
  readonly askSecondAdministrator: (input: {
    readonly digest: string
    /** Method and path, for people. */
    readonly request: string
    /** As it was sent, where it is to be carried out by who approves of it. */
    readonly body: string | undefined
    readonly by: string
    readonly mayAsk: boolean
    readonly maySecond: boolean
    readonly expiresAt: Date
    readonly now: Date
  }) => Promise<SecondAnswer>
  /** One that waits, by its digest. */
  readonly findSecondRequest: (digest: string, now: Date) => Promise<SecondRequest | null>
  readonly listSecondRequests: (now: Date) => Promise<readonly Omit<SecondRequest, 'body'>[]>
}

export type SecondAnswer = 'seconded' | 'waiting' | 'nothing_waits'

export type SecondRequest = typeof secondRequest.$inferSelect

const ASK = [
  'p_digest',
  'p_request',
  'p_by',
  'p_at',
  'p_expires_at',
  'p_audit_id',
  'p_event_id',
  'p_body',
  'p_may_ask',
  'p_may_second',
] as const
const LISTED = 100

/** A body may be a whole document. */
const { body: _, ...listed } = getTableColumns(secondRequest)

export function prepareSecondRequests(db: Database): SecondRequests {
  const ask = prepareChange<(typeof ASK)[number], SecondAnswer>(db, 'ask_second_administrator', ASK)
  return {
    askSecondAdministrator: ({ digest, request, body, by, mayAsk, maySecond, expiresAt, now }) =>
      ask({
        p_digest: digest,
        p_request: encodeText(request),
        p_by: encodeText(by),
        p_at: now.toISOString(),
        p_expires_at: expiresAt.toISOString(),
        p_audit_id: newRecordId(now),
        p_event_id: newRecordId(now),
        p_body: body === undefined ? null : encodeText(body),
        p_may_ask: mayAsk,
        p_may_second: maySecond,
      }),
    async findSecondRequest(digest, now) {
      const [found] = await db
        .select()
        .from(secondRequest)
        .where(and(eq(secondRequest.digest, storableId(digest)), gt(secondRequest.expiresAt, now)))
      return found ?? null
    },
    listSecondRequests: (now) =>
      db
        .select(listed)
        .from(secondRequest)
        .where(gt(secondRequest.expiresAt, now))
        .orderBy(desc(secondRequest.requestedAt))
        .limit(LISTED),
  }
}
