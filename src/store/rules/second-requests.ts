import { desc, gt } from 'drizzle-orm'
import { type Database, prepareChange } from '../drivers/database.ts'
import { encodeText } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { secondRequest } from '../schema/steering-schema.ts'

/** Dangerous requests that two administrators have to send. */
export type SecondRequests = {
  /**
   * `seconded`: somebody else sent the same within its time, and both together are one request,
   * which is used up. `waiting`: the other one is still to come.
   */
  readonly askSecondAdministrator: (input: {
    readonly digest: string
    /** Method and path, for people. */
    readonly request: string
    readonly by: string
    readonly expiresAt: Date
    readonly now: Date
  }) => Promise<'seconded' | 'waiting'>
  readonly listSecondRequests: (now: Date) => Promise<readonly SecondRequest[]>
}

export type SecondRequest = typeof secondRequest.$inferSelect

const ASK = [
  'p_digest',
  'p_request',
  'p_by',
  'p_at',
  'p_expires_at',
  'p_audit_id',
  'p_event_id',
] as const
const LISTED = 100

export function prepareSecondRequests(db: Database): SecondRequests {
  const ask = prepareChange<(typeof ASK)[number], 'seconded' | 'waiting'>(
    db,
    'ask_second_administrator',
    ASK,
  )
  return {
    askSecondAdministrator: ({ digest, request, by, expiresAt, now }) =>
      ask({
        p_digest: digest,
        p_request: encodeText(request),
        p_by: encodeText(by),
        p_at: now.toISOString(),
        p_expires_at: expiresAt.toISOString(),
        p_audit_id: newRecordId(now),
        p_event_id: newRecordId(now),
      }),
    listSecondRequests: (now) =>
      db
        .select()
        .from(secondRequest)
        .where(gt(secondRequest.expiresAt, now))
        .orderBy(desc(secondRequest.requestedAt))
        .limit(LISTED),
  }
}
