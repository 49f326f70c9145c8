import { z } from 'zod'
import { seconds } from '../base/fields.ts'
import { type IssuerRules, readIssuerRules } from '../oauth/issuer-rules.ts'
import { MAX_ACCESS_TOKEN_SECONDS } from '../oauth/limits.ts'
import { privateHosts } from './private-hosts.ts'

/** How callers are known by access tokens. */
export type OAuthConfig = {
  /** How long an access token of ours lives. */
  readonly tokenSeconds: number
  /** Issuers of the organisation, whose tokens count besides ours. */
  readonly issuers: readonly IssuerRules[]
  /** Hosts whose key sets may be fetched from a private network. */
  readonly privateHosts: ReadonlySet<string>
}

/** Keys are public and issuers no secret: so they are settings, as what has to be trusted first. */
export const oauthSettings = {
  OAUTH_TOKEN_SECONDS: seconds(60, MAX_ACCESS_TOKEN_SECONDS, 600),
  OAUTH_ISSUERS: z
    .string()
    .transform((text, context) => {
      const read = readIssuerRules(text)
      if (read.ok) return read.value
      context.issues.push({ code: 'custom', message: read.failure.detail, input: '' })
      return z.NEVER
    })
    .optional(),
  OAUTH_ISSUERS_FILE: z.string().min(1).optional(),
  OAUTH_PRIVATE_HOSTS: privateHosts,
}

type Settings = z.infer<z.ZodObject<typeof oauthSettings>>

export function readOAuthConfig(settings: Settings): OAuthConfig {
  return {
    tokenSeconds: settings.OAUTH_TOKEN_SECONDS,
    issuers: settings.OAUTH_ISSUERS ?? [],
    privateHosts: settings.OAUTH_PRIVATE_HOSTS,
  }
}
