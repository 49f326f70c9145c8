import { z } from 'zod'
import { describeIssue, oneOf } from '../base/fields.ts'
import { err, ok, type Result } from '../base/result.ts'
import { ROLE_NAMES, type Role } from '../oauth/roles.ts'

/** Why a list of roles is none. For the operator who wrote it. */
export const ROLE_RULES_REASONS = ['roles_malformed'] as const

export type RoleRulesFailure = {
  readonly reason: (typeof ROLE_RULES_REASONS)[number]
  readonly detail: string
}

/** Which values of the claim give which roles; each value is compared as it stands. */
export type RoleRules = ReadonlyMap<string, readonly Role[]>

const MAX_VALUES = 256
const MAX_VALUE_CHARS = 256
const MAX_CLAIM_VALUES = 10_000

const role = oneOf(ROLE_NAMES as readonly [Role, ...Role[]])
const rules = z
  .record(
    z.string().min(1).max(MAX_VALUE_CHARS),
    z.union([role.transform((one): readonly Role[] => [one]), z.array(role).min(1)]),
  )
  .refine((given) => Object.keys(given).length > 0, 'must give a role to one value at least')
  .refine((given) => Object.keys(given).length <= MAX_VALUES, `must have ${MAX_VALUES} at most`)

/** Reads the roles that values of a claim give: a JSON object of values, each with one role or a list. */
export function readRoleRules(json: string): Result<RoleRules, RoleRulesFailure> {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return err({
      reason: 'roles_malformed',
      detail: 'must be JSON, such as {"countersign-owners": "owner"}',
    })
  }
  const parsed = rules.safeParse(value)
  if (parsed.success) return ok(new Map(Object.entries(parsed.data)))
  const detail = parsed.error.issues
    .map((issue) => `${issue.path.join('.') || 'the object'}: ${describeIssue(issue)}`)
    .join('; ')
  return err({ reason: 'roles_malformed', detail })
}

/**
 * The roles that the claims of a verified ID token give. `claim` is the name of one, or a path of names with
 * dots between them (`realm_access.roles` of Keycloak); a name that has dots itself comes first. What has
 * neither a text nor a list of texts there gives none.
 */
export function rolesOfClaims(
  claims: Readonly<Record<string, unknown>>,
  { claim, roles }: { readonly claim: string; readonly roles: RoleRules },
): readonly Role[] {
  const found = valueAt(claims, claim)
  const values: readonly unknown[] = Array.isArray(found)
    ? found.slice(0, MAX_CLAIM_VALUES)
    : [found]
  const given = new Set(
    values.flatMap((value) => (typeof value === 'string' ? (roles.get(value) ?? []) : [])),
  )
  return ROLE_NAMES.filter((name) => given.has(name))
}

function valueAt(claims: Readonly<Record<string, unknown>>, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = Object(value)[name]
  }
  return value
}
