import { z } from 'zod'
import { ROLE_NAMES, type Role, scopesOf } from '../../../oauth/roles.ts'
import { SCOPES, type Scope } from '../../../oauth/scopes.ts'
import type { ClientRotationFailure } from '../../../operations/clients/rotate-client.ts'

/** How long the secret before counts too, by the value of the field. */
export const OVERLAPS = {
  '24h': { title: '24 hours', ms: 86_400_000 },
  '7d': { title: '7 days', ms: 7 * 86_400_000 },
  '30d': { title: '30 days', ms: 30 * 86_400_000 },
  none: { title: 'not at all: somebody else may have it', ms: 0 },
} as const satisfies Readonly<Record<string, { readonly title: string; readonly ms: number }>>

type Overlap = keyof typeof OVERLAPS
export const OVERLAP_NAMES = Object.keys(OVERLAPS) as [Overlap, ...Overlap[]]

export const rotateForm = z.strictObject({ overlap: z.enum(OVERLAP_NAMES) })

const ROLE_FIELD = 'role.'
const SCOPE_FIELD = 'scope.'

export const roleField = (role: Role) => `${ROLE_FIELD}${role}`
export const scopeField = (scope: Scope) => `${SCOPE_FIELD}${scope}`

const ticked = z.literal('on').optional()

/** A box for each role and each scope: those that are ticked are sent. */
export const createForm = z
  .strictObject({
    name: z.string().trim().min(1).max(200),
    ...Object.fromEntries(ROLE_NAMES.map((role) => [roleField(role), ticked])),
    ...Object.fromEntries(SCOPES.map((scope) => [scopeField(scope), ticked])),
  })
  .transform((form, issues) => {
    const fields = Object.keys(form)
    const roles = ROLE_NAMES.filter((role) => fields.includes(roleField(role)))
    const scopes = SCOPES.filter((scope) => fields.includes(scopeField(scope)))
    const all = [...new Set([...scopesOf(roles), ...scopes])]
    if (all.length > 0) return { name: form.name, scopes: all }
    issues.addIssue('must have at least one role or scope')
    return z.NEVER
  })

/** The one map from what a rotation can be refused for to what people are told. */
export const ROTATION_REFUSED: Readonly<Record<ClientRotationFailure['reason'], string>> = {
  client_to_rotate_not_found: 'There is no such client.',
  client_to_rotate_disabled: 'The client is disabled: make another one.',
  client_to_rotate_has_keys:
    'The client has keys, and no secret: they are changed on the machine of the service, with npm run -s countersign -- clients keys.',
  client_rotation_under_way:
    'Two secrets of it count already. Wait until the older one has ended, or let it count not at all.',
}
