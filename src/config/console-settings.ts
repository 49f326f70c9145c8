import { z } from 'zod'
import { seconds } from '../base/fields.ts'
import { type RoleRules, readRoleRules } from '../people/roles.ts'
import { isLoopback } from './loopback.ts'

/** How people sign in to the console. */
export type ConsoleConfig = {
  /** The OpenID provider of the organisation; absent where people come by one-time links alone. */
  readonly issuer: ConsoleIssuer | undefined
  /** After so long without a request a session has ended. */
  readonly idleSeconds: number
  /** So long a session lasts at most. */
  readonly sessionSeconds: number
  /** After so long the roles of a person are read anew. */
  readonly rolesSeconds: number
}

export type ConsoleIssuer = {
  /** `iss` of its ID tokens, and what its discovery document stands below. */
  readonly url: string
  readonly clientId: string
  /** Absent for a public client, which PKCE alone protects. */
  readonly clientSecret: string | undefined
  readonly scope: string
  readonly rolesClaim: string
  readonly roles: RoleRules
}

const MAX_NAME_CHARS = 512
const name = z
  .string()
  .max(MAX_NAME_CHARS)
  .regex(/^[\x21-\x7e]+$/, 'must be ASCII without spaces')

/** As it stands: of two issuers that differ by a final slash each is another one. */
const issuerUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http(s) URL' })
  .max(MAX_NAME_CHARS)
  .refine((text) => {
    // What is no URL at all was told already.
    if (!URL.canParse(text)) return true
    const url = new URL(text)
    return url.search === '' && url.hash === '' && url.username === ''
  }, 'must have no query, fragment or credentials')

/** The client secret is the one secret here. */
export const consoleSettings = {
  CONSOLE_ISSUER: issuerUrl.optional(),
  CONSOLE_CLIENT_ID: name.optional(),
  CONSOLE_CLIENT_SECRET: z
    .string()
    .max(MAX_NAME_CHARS)
    .regex(/^[\x20-\x7e]+$/, 'must be ASCII')
    .optional(),
  CONSOLE_SCOPE: z
    .string()
    .regex(
      /^(?:[\x21\x23-\x5b\x5d-\x7e]+ )*openid(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/,
      'must be names with single spaces between them, openid among them',
    )
    .default('openid profile email'),
  CONSOLE_ROLES_CLAIM: z.string().min(1).max(MAX_NAME_CHARS).default('roles'),
  CONSOLE_ROLES: z
    .string()
    .transform((text, context) => {
      const read = readRoleRules(text)
      if (read.ok) return read.value
      context.issues.push({ code: 'custom', message: read.failure.detail, input: '' })
      return z.NEVER
    })
    .optional(),
  CONSOLE_IDLE_SECONDS: seconds(60, 86_400, 1800),
  CONSOLE_SESSION_SECONDS: seconds(300, 604_800, 28_800),
  CONSOLE_ROLES_SECONDS: seconds(60, 86_400, 900),
}

type Settings = z.infer<z.ZodObject<typeof consoleSettings>>

export function readConsoleConfig(settings: Settings): ConsoleConfig {
  const { CONSOLE_ISSUER: url, CONSOLE_CLIENT_ID: clientId, CONSOLE_ROLES: roles } = settings
  const isComplete = url !== undefined && clientId !== undefined && roles !== undefined
  return {
    issuer: isComplete
      ? {
          ...{ url, clientId, roles },
          clientSecret: settings.CONSOLE_CLIENT_SECRET,
          scope: settings.CONSOLE_SCOPE,
          rolesClaim: settings.CONSOLE_ROLES_CLAIM,
        }
      : undefined,
    idleSeconds: Math.min(settings.CONSOLE_IDLE_SECONDS, settings.CONSOLE_SESSION_SECONDS),
    sessionSeconds: settings.CONSOLE_SESSION_SECONDS,
    rolesSeconds: settings.CONSOLE_ROLES_SECONDS,
  }
}

/** What an issuer needs besides its URL, and what does nothing without one. */
const NEEDED = ['CONSOLE_CLIENT_ID', 'CONSOLE_ROLES'] as const
const OF_ISSUERS = [...NEEDED, 'CONSOLE_CLIENT_SECRET', 'CONSOLE_SCOPE', 'CONSOLE_ROLES_CLAIM']

/** What is wrong between settings that are right by themselves. */
export function consoleContradictions(
  given: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const { CONSOLE_ISSUER: issuer, PUBLIC_URL: publicUrl } = given
  if (issuer === undefined) {
    const presets = readPresets()
    return OF_ISSUERS.filter((name) => given[name] !== undefined)
      .filter((name) => given[name] !== presets[name])
      .map((name) => `${name}: has no effect without CONSOLE_ISSUER`)
  }
  const missing = NEEDED.filter((name) => given[name] === undefined)
  const found = missing.map((name) => `${name}: is needed with CONSOLE_ISSUER`)
  if (!isProtected(issuer)) {
    found.push('CONSOLE_ISSUER: must be an https URL, but for one on a loopback address')
  }
  // Without TLS a session could be read by whoever is on the way.
  if (publicUrl !== undefined && !isProtected(publicUrl)) {
    found.push('CONSOLE_ISSUER: needs PUBLIC_URL with https, or on a loopback address')
  }
  return found
}

function readPresets(): Readonly<Record<string, unknown>> {
  return z.object(consoleSettings).parse({})
}

/** By TLS, or by never leaving the machine. What is no URL, or one of another kind, was told already. */
function isProtected(text: string): boolean {
  if (!URL.canParse(text)) return true
  const { protocol, hostname } = new URL(text)
  return protocol !== 'http:' || isLoopback(hostname)
}
