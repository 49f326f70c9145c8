import { SCOPES, type Scope } from './scopes.ts'

/**
 * What people do here, as the scopes that it takes. A person has roles, and a client may be made with them: both
 * are known by their scopes alone from then on, so that a role is a name and no second mechanism.
 */
export const ROLES = {
  /** Looks, and changes nothing. */
  viewer: ['admin.read'],
  /** Looks after devices: quarantine, release, admit, allow for a while, labels, links. */
  operator: ['admin.read', 'admin.operate'],
  /** Checks, previews and releases documents, as far as the gates let one person. */
  'policy-author': ['admin.read', 'admin.author'],
  /** The second administrator: carries out what somebody else has asked for. */
  approver: ['admin.read', 'admin.approve'],
  /** All of it: clients, keys, streams and people too. */
  owner: ['admin.write'],
} as const satisfies Readonly<Record<string, readonly Scope[]>>

export type Role = keyof typeof ROLES

export const ROLE_NAMES = Object.keys(ROLES) as readonly Role[]

/** The scopes that roles come to, each once. */
export function scopesOf(roles: readonly Role[]): readonly Scope[] {
  const given: readonly Scope[] = roles.flatMap((role) => ROLES[role])
  return SCOPES.filter((scope) => given.includes(scope))
}
