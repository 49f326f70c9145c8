import { z } from 'zod'
import { describeIssue, oneOf } from '../base/fields.ts'
import { err, ok, type Result } from '../base/result.ts'
import { MAX_JWKS_URL_CHARS } from './limits.ts'
import { SCOPES } from './scopes.ts'

/** Why a list of issuers is none. For the operator who wrote it. */
export const ISSUER_RULES_REASONS = ['issuers_malformed', 'issuers_repeated'] as const

export type IssuerRulesFailure = {
  readonly reason: (typeof ISSUER_RULES_REASONS)[number]
  readonly detail: string
}

export const MAX_ISSUERS = 8
const MAX_TEXT_CHARS = 256

const text = z.string().min(1).max(MAX_TEXT_CHARS)

const httpsUrl = z
  .url({ protocol: /^https$/, error: 'must be an https URL' })
  .max(MAX_JWKS_URL_CHARS)
  .refine((url) => !URL.canParse(url) || new URL(url).username === '', 'must have no credentials')

const rules = z.strictObject({
  /** What its callers are called after, in the audit and the log. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be of a-z, 0-9 and -, at most 32'),
  /** `iss` of its tokens, compared as it stands. */
  issuer: httpsUrl,
  jwks_uri: httpsUrl,
  /** `aud` of its tokens: what the organisation has registered this service as. */
  audience: text,
  algorithms: z
    .array(oneOf(['ES256', 'PS256', 'RS256']))
    .min(1)
    .default(['RS256']),
  /** `typ` of its access tokens. Many issuers set `JWT`, as they do for other tokens. RFC 9068 §2.1 */
  types: z
    .array(oneOf(['at+jwt', 'jwt']))
    .min(1)
    .default(['at+jwt']),
  /** The claim that says who calls. RFC 9068 §2.2 */
  caller_claim: text.default('client_id'),
  /** Claims that a token must have, with these values. */
  claims: z.record(text, z.union([z.string().max(MAX_TEXT_CHARS), z.boolean()])).default({}),
  /** Which values of which claims give which of our scopes. */
  scopes: z
    .array(z.strictObject({ claim: text, value: text, grants: z.array(oneOf(SCOPES)).min(1) }))
    .min(1)
    .max(64),
  max_lifetime_seconds: z.int().min(60).max(86_400).default(7200),
})

/** How the tokens of an issuer of the organisation are read. */
export type IssuerRules = z.infer<typeof rules>

/**
 * Reads the list of the organisation's own issuers: JSON, a list of objects. Nothing in it is secret. What is
 * wrong is told with the place of each mistake.
 */
export function readIssuerRules(json: string): Result<readonly IssuerRules[], IssuerRulesFailure> {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return err({ reason: 'issuers_malformed', detail: 'must be JSON: a list of issuers' })
  }
  const parsed = z.array(rules).min(1).max(MAX_ISSUERS).safeParse(value)
  if (!parsed.success) {
    const detail = parsed.error.issues
      .map((issue) => `${issue.path.join('.') || 'the list'}: ${describeIssue(issue)}`)
      .join('; ')
    return err({ reason: 'issuers_malformed', detail })
  }
  for (const member of ['name', 'issuer'] as const) {
    const names = parsed.data.map((one) => one[member])
    const repeated = names.find((name, index) => names.indexOf(name) !== index)
    if (repeated === undefined) continue
    return err({ reason: 'issuers_repeated', detail: `two issuers have the ${member} ${repeated}` })
  }
  return ok(parsed.data)
}
