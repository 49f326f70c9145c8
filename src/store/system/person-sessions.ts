import { and, asc, desc, eq, gt, isNull, sql } from 'drizzle-orm'
import type { Role } from '../../oauth/roles.ts'
import { storableId } from '../devices/trust-records.ts'
import { type Database, prepareChange } from '../drivers/database.ts'
import { encodeJson, encodeText, type Json } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { personSession } from '../schema/people-schema.ts'

/** Names a session: its id, and the time that its cookie says too. */
export type PersonSessionName = { readonly sessionId: string; readonly expiresAt: Date }

/** From where, and by which request, a person does something with a session. */
export type PersonOrigin = {
  readonly requestId: string
  readonly address: string
  /** What a proxy says of the address before it: not proven. */
  readonly forwardedFor?: string | undefined
  readonly browser?: string | undefined
}

export type StoredPersonSession = typeof personSession.$inferSelect

export type PersonSessionToBegin = PersonSessionName & {
  readonly personId: string
  readonly name: string
  readonly roles: readonly Role[]
  readonly browserHash: string
  /** How the person proved themselves. */
  readonly by: 'issuer' | 'link'
  /** The session of the same browser that this one takes the place of. */
  readonly replaces: PersonSessionName | undefined
  readonly origin: PersonOrigin
  readonly now: Date
}

export type PersonSessions = {
  /** `repeated`: there was one of that name before, so that what it is begun with was used up. */
  readonly beginPersonSession: (begun: PersonSessionToBegin) => Promise<'applied' | 'repeated'>
  /** One row by its key, whether it counts or not. */
  readonly findPersonSession: (name: PersonSessionName) => Promise<StoredPersonSession | null>
  /** Notes the roles that were read anew; `ended` where the session counts no more. */
  readonly renewPersonRoles: (
    renewed: PersonSessionName & {
      readonly roles: readonly Role[]
      readonly origin: PersonOrigin
      readonly now: Date
    },
  ) => Promise<'applied' | 'ended'>
  /** Ends one session; `unchanged` where it counts no more. */
  readonly endPersonSession: (
    ended: PersonSessionName & { readonly origin: PersonOrigin; readonly now: Date },
  ) => Promise<'applied' | 'unchanged'>
  /** Ends all sessions of a person, and says how many those were. */
  readonly endPersonSessions: (input: {
    readonly personId: string
    readonly by: string
    readonly reason: string
    readonly now: Date
  }) => Promise<number>
  /** Writes down that somebody was not let in. */
  readonly noteRefusedPerson: (refused: {
    /** A person, or `unknown` where nobody was proven. */
    readonly actor: string
    readonly detail: Json
    readonly now: Date
  }) => Promise<void>
  /** Those that count now, of one person or of all, the youngest first. */
  readonly listPersonSessions: (query: {
    readonly personId?: string | undefined
    readonly now: Date
  }) => Promise<readonly StoredPersonSession[]>
}

const NAME = ['p_session_id', 'p_expires_at'] as const
const WRITTEN = ['p_at', 'p_detail', 'p_audit_id'] as const
const BEGIN = [
  ...NAME,
  ...(['p_person_id', 'p_name', 'p_roles', 'p_browser_hash', 'p_address'] as const),
  ...(['p_replaces_id', 'p_replaces_expires_at'] as const),
  ...WRITTEN,
] as const
const RENEW = [...NAME, 'p_roles', ...WRITTEN] as const
const END = [...NAME, ...WRITTEN] as const
const END_ALL = ['p_person_id', 'p_by', 'p_reason', 'p_at', 'p_audit_id'] as const
const REFUSED = ['p_actor', ...WRITTEN] as const
const LISTED = 1000

export function preparePersonSessions(db: Database): PersonSessions {
  const begin = prepareChange<(typeof BEGIN)[number], 'applied' | 'repeated'>(
    ...([db, 'begin_person_session', BEGIN] as const),
  )
  const renew = prepareChange<(typeof RENEW)[number], 'applied' | 'ended'>(
    ...([db, 'renew_person_roles', RENEW] as const),
  )
  const end = prepareChange<(typeof END)[number], 'applied' | 'unchanged'>(
    ...([db, 'end_person_session', END] as const),
  )
  const endAll = prepareChange<(typeof END_ALL)[number], number>(
    ...([db, 'end_person_sessions', END_ALL] as const),
  )
  const noteRefused = prepareChange<(typeof REFUSED)[number], 'applied'>(
    ...([db, 'note_refused_person', REFUSED] as const),
  )
  const find = db
    .select()
    .from(personSession)
    .where(
      and(
        eq(personSession.sessionId, sql.placeholder('sessionId')),
        eq(personSession.expiresAt, sql.placeholder('expiresAt')),
      ),
    )
    .prepare('find_person_session')
  return {
    beginPersonSession: ({ replaces, origin, by, ...begun }) =>
      begin({
        ...namedBy(begun),
        p_person_id: storableId(begun.personId),
        p_name: encodeText(begun.name),
        p_roles: encodeJson(begun.roles),
        p_browser_hash: begun.browserHash,
        p_address: encodeText(origin.address),
        p_replaces_id: replaces === undefined ? null : storableId(replaces.sessionId),
        p_replaces_expires_at: replaces?.expiresAt.toISOString() ?? null,
        ...written({ ...origin, by }, begun.now),
      }),
    async findPersonSession({ sessionId, expiresAt }) {
      const [found] = await find.execute({ sessionId: storableId(sessionId), expiresAt })
      return found ?? null
    },
    renewPersonRoles: ({ roles, origin, now, ...name }) =>
      renew({ ...namedBy(name), p_roles: encodeJson(roles), ...written(origin, now) }),
    endPersonSession: ({ origin, now, ...name }) =>
      end({ ...namedBy(name), ...written(origin, now) }),
    endPersonSessions: ({ personId, by, reason, now }) =>
      endAll({
        p_person_id: storableId(personId),
        p_by: encodeText(by),
        p_reason: encodeText(reason),
        p_at: now.toISOString(),
        p_audit_id: newRecordId(now),
      }),
    async noteRefusedPerson({ actor, detail, now }) {
      await noteRefused({ p_actor: encodeText(actor), ...written(detail, now) })
    },
    listPersonSessions: ({ personId, now }) =>
      db
        .select()
        .from(personSession)
        .where(
          and(
            gt(personSession.expiresAt, now),
            isNull(personSession.endedAt),
            personId === undefined ? undefined : eq(personSession.personId, storableId(personId)),
          ),
        )
        .orderBy(desc(personSession.beganAt), asc(personSession.sessionId))
        .limit(LISTED),
  }
}

function namedBy({ sessionId, expiresAt }: PersonSessionName) {
  return { p_session_id: storableId(sessionId), p_expires_at: expiresAt.toISOString() }
}

function written(detail: unknown, now: Date) {
  return {
    p_at: now.toISOString(),
    p_detail: encodeJson(detail),
    p_audit_id: newRecordId(now),
  }
}
