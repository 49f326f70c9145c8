import { z } from 'zod'
import { digestText } from '../../base/digest.ts'
import { toBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { scopesOf } from '../../oauth/roles.ts'
import type { Scope } from '../../oauth/scopes.ts'
import { LOCAL_OWNER, type Person } from '../../people/person.ts'
import {
  cookieEnd,
  isRenewalDue,
  judgeRoles,
  type SessionFailure,
  type SessionName,
} from '../../people/session.ts'
import type { StoredPersonSession } from '../../store/system/person-sessions.ts'
import type { PeopleDependencies } from './dependencies.ts'
import { sealClaims, unsealClaims } from './sealed-claims.ts'

/** A person whose session counts. */
export type SignedIn = {
  readonly session: SessionName
  readonly person: Person
  readonly scopes: readonly Scope[]
  /** The cookie to go on with, where it is time for another one. */
  readonly cookie: string | undefined
}

const sealedSession = z.object({
  sid: z.string(),
  /** Milliseconds since 1970. */
  end: z.number(),
  iat: z.number(),
})

/** What is kept of what a browser says of itself, to know it again. */
export function hashOfUserAgent(userAgent: string | undefined): string {
  return toBase64Url(digestText('sha256', userAgent ?? ''))
}

/** The cookie of a session: its name, sealed until it is idle for too long. */
export function sealSession(
  { keys, limits, clock }: Pick<PeopleDependencies, 'keys' | 'limits' | 'clock'>,
  session: SessionName,
): Promise<string> {
  const now = clock()
  const claims = { sid: session.sessionId, end: session.expiresAt.getTime() }
  return sealClaims(claims, { keys: keys.session, now, until: cookieEnd(session, limits, now) })
}

/** The name in a cookie, as of when; it may have ended. */
export async function readSession(
  { keys, clock }: Pick<PeopleDependencies, 'keys' | 'clock'>,
  cookie: string | undefined,
): Promise<Result<SessionName & { readonly writtenAt: Date }, SessionFailure>> {
  if (cookie === undefined) return err({ reason: 'session_missing' })
  const opened = await unsealClaims(cookie, { keys: keys.session, now: clock() })
  if (!opened.ok) {
    const isLate = opened.failure.reason === 'expired'
    return err({ reason: isLate ? 'session_expired' : 'session_malformed' })
  }
  const { sid, end, iat } = sealedSession.parse(opened.value)
  return ok({ sessionId: sid, expiresAt: new Date(end), writtenAt: new Date(iat * 1000) })
}

/**
 * Who a request comes from, by its cookie: one indexed read, so that a session counts in no process any more as
 * soon as it is ended in one. `isChange`: the request changes something.
 */
export async function openSession(
  dependencies: Pick<
    PeopleDependencies,
    'store' | 'keys' | 'limits' | 'issuer' | 'mayUseLinks' | 'clock'
  >,
  asked: {
    readonly cookie: string | undefined
    readonly userAgent: string | undefined
    readonly isChange: boolean
  },
): Promise<Result<SignedIn, SessionFailure>> {
  const { store, limits, clock } = dependencies
  const read = await readSession(dependencies, asked.cookie)
  if (!read.ok) return read
  const { writtenAt, ...session } = read.value
  const now = clock()
  if (now >= session.expiresAt) return err({ reason: 'session_expired' })
  const stored = await store.findPersonSession(session)
  if (stored === null || stored.endedAt !== null) return err({ reason: 'session_ended' })
  if (stored.browserHash !== hashOfUserAgent(asked.userAgent)) {
    return err({ reason: 'session_of_another_browser' })
  }
  const counts = judgeStanding(dependencies, { stored, isChange: asked.isChange, now })
  if (!counts.ok) return counts
  const { personId, name, roles } = stored
  const isDue = isRenewalDue(writtenAt, limits, now)
  return ok({
    session,
    person: { personId, name, roles },
    scopes: scopesOf(roles),
    cookie: isDue ? await sealSession(dependencies, session) : undefined,
  })
}

/** Who came by a link is asked for no roles, and counts only while links do. */
function judgeStanding(
  { limits, mayUseLinks }: Pick<PeopleDependencies, 'limits' | 'mayUseLinks'>,
  {
    stored,
    isChange,
    now,
  }: { readonly stored: StoredPersonSession; readonly isChange: boolean; readonly now: Date },
): Result<null, SessionFailure> {
  if (stored.personId !== LOCAL_OWNER.personId) {
    return judgeRoles(stored.rolesAt, { limits, isChange, now })
  }
  return mayUseLinks ? ok(null) : err({ reason: 'session_ended' })
}
