import { err, ok, type Result } from '../base/result.ts'

/** What a caller may do, whichever way it proves itself. */
export const SCOPES = [
  'access.evaluate',
  'admin.read',
  'admin.operate',
  'admin.author',
  'admin.approve',
  'admin.write',
  'ssf.read',
  'ssf.manage',
] as const

export type Scope = (typeof SCOPES)[number]

/**
 * What some scopes are more than. `admin.write` is all of administration; who manages streams reads them too:
 * `ssf.manage` is for all of their management (CAEP interoperability profile 1.0 §2.7).
 */
const IMPLIED: Partial<Readonly<Record<Scope, readonly Scope[]>>> = {
  'admin.write': ['admin.read', 'admin.operate', 'admin.author', 'admin.approve'],
  'ssf.manage': ['ssf.read'],
}

/** Whether whoever has `scopes` may do what wants one of them. */
export function mayDo(scopes: readonly Scope[], wanted: Scope): boolean {
  return scopes.some((scope) => scope === wanted || IMPLIED[scope]?.includes(wanted) === true)
}

/** Why the scope that a client asks for is not granted. */
export const SCOPE_REASONS = ['scope_refused'] as const

export type ScopeFailure = {
  readonly reason: (typeof SCOPE_REASONS)[number]
  /** What may be asked for. */
  readonly expected: string
}

/**
 * The scopes of a token for a client that has `allowed`: those that `requested` names, or all of them where
 * it names none (RFC 6749 §3.3). A client that may do more can ask for the less that it needs. One that the
 * client has not is refused and not left out, so that nobody works with less than was asked for.
 */
export function grantScopes(
  requested: string | undefined,
  allowed: readonly Scope[],
): Result<readonly Scope[], ScopeFailure> {
  const names = requested === undefined ? allowed : [...new Set(requested.split(' '))]
  const granted = SCOPES.filter((scope) => names.includes(scope) && mayDo(allowed, scope))
  if (granted.length > 0 && granted.length === names.length) return ok(granted)
  return err({ reason: 'scope_refused', expected: `of ${allowed.join(' ')}` })
}

/** The scopes that the claim `scope` of one of our tokens names (RFC 9068 §2.2.3), without any others. */
export function readScopes(scope: unknown): readonly Scope[] {
  if (typeof scope !== 'string') return []
  const names = scope.split(' ')
  return SCOPES.filter((known) => names.includes(known))
}
