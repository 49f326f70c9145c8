import { err, ok, type Result } from '../base/result.ts'

/** Why a browser has no session that counts. */
export const SESSION_REASONS = [
  'session_missing',
  /** The cookie is none of ours, or was changed. */
  'session_malformed',
  /** Nothing was asked by it for too long, or it has lasted as long as one may. */
  'session_expired',
  /** It was signed out, or all sessions of its person were ended. */
  'session_ended',
  /** Another browser signed in with it. */
  'session_of_another_browser',
  /** The roles were read too long ago: the issuer has to be asked again. */
  'session_roles_stale',
] as const

export type SessionFailure = { readonly reason: (typeof SESSION_REASONS)[number] }

/** Names a session, as its sealed cookie does. */
export type SessionName = {
  /** `ses_…` */
  readonly sessionId: string
  /** When it ends whatever is done with it. */
  readonly expiresAt: Date
}

export type SessionLimits = {
  readonly idleSeconds: number
  readonly sessionSeconds: number
  readonly rolesSeconds: number
}

/** A cookie is written anew when this part of the time has passed that it may lie unused. */
const RENEWED_AFTER = 0.1

/** When a cookie that is written now stops counting: never later than its session. */
export function cookieEnd(
  { expiresAt }: Pick<SessionName, 'expiresAt'>,
  { idleSeconds }: Pick<SessionLimits, 'idleSeconds'>,
  now: Date,
): Date {
  return new Date(Math.min(expiresAt.getTime(), now.getTime() + idleSeconds * 1000))
}

/** Whether it is time to write the cookie anew, so that whoever goes on working stays signed in. */
export function isRenewalDue(
  writtenAt: Date,
  { idleSeconds }: Pick<SessionLimits, 'idleSeconds'>,
  now: Date,
): boolean {
  return now.getTime() - writtenAt.getTime() >= idleSeconds * 1000 * RENEWED_AFTER
}

/**
 * Whether roles that were read at `rolesAt` count still. What changes nothing is let through for one time; what a
 * person was writing meanwhile is not lost, so a change counts for a second one.
 */
export function judgeRoles(
  rolesAt: Date,
  {
    limits,
    isChange,
    now,
  }: { readonly limits: SessionLimits; readonly isChange: boolean; readonly now: Date },
): Result<null, SessionFailure> {
  const allowed = limits.rolesSeconds * 1000 * (isChange ? 2 : 1)
  const age = now.getTime() - rolesAt.getTime()
  return age < allowed ? ok(null) : err({ reason: 'session_roles_stale' })
}
