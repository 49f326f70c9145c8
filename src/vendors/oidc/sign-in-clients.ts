import { z } from 'zod'
import { describeIssue, oneOf } from '../../base/fields.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { MAX_NAME_CHARS, MAX_REDIRECT_URIS, MAX_SIGN_IN_CLIENTS } from './limits.ts'

/** Why a list of identity providers is none. For the operator who wrote it. */
export const SIGN_IN_CLIENTS_REASONS = [
  'sign_in_clients_malformed',
  'sign_in_clients_repeated',
] as const

export type SignInClientsFailure = {
  readonly reason: (typeof SIGN_IN_CLIENTS_REASONS)[number]
  readonly detail: string
}

/** An identity provider that may send browsers here, and what is known of it beforehand. */
export type SignInClient = EntraClient | OktaClient

export type EntraClient = {
  readonly provider: 'entra'
  readonly clientId: string
  readonly redirectUris: readonly string[]
  readonly tenantId: string
  /** `iss` of the hints of the tenant. */
  readonly hintIssuer: string
  /** Where the keys are published that sign them. */
  readonly hintKeys: string
}

export type OktaClient = {
  readonly provider: 'okta'
  readonly clientId: string
  readonly redirectUris: readonly string[]
}

/**
 * By cloud, where sign-ins happen: the first part of issuers, of key sets and of the one place that an
 * external authentication method answers at.
 */
const CLOUDS = {
  global: 'https://login.microsoftonline.com',
  usgov: 'https://login.microsoftonline.us',
  china: 'https://login.partner.microsoftonline.cn',
} as const
const CLOUD_NAMES = ['global', 'usgov', 'china'] as const
const ENTRA_REDIRECT_PATH = '/common/federation/externalauthprovider'

const clientId = z
  .string()
  .max(MAX_NAME_CHARS)
  .regex(/^[\x21-\x7e]+$/, 'must be ASCII without spaces')

/** Compared as it stands (OpenID Connect Core 1.0 §3.1.2.1): a fragment could never come back. */
const redirectUri = z
  .url({ protocol: /^https$/, error: 'must be an https URL' })
  .max(MAX_NAME_CHARS)
  .refine((url) => !URL.canParse(url) || new URL(url).hash === '', 'must have no fragment')

const entra = z.strictObject({
  provider: z.literal('entra'),
  client_id: clientId,
  tenant_id: z
    .string()
    .regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'must be a GUID in small letters'),
  cloud: oneOf(CLOUD_NAMES).default('global'),
})

const okta = z.strictObject({
  provider: z.literal('okta'),
  client_id: clientId,
  redirect_uris: z.array(redirectUri).min(1).max(MAX_REDIRECT_URIS),
})

const clients = z
  .array(z.discriminatedUnion('provider', [entra, okta]))
  .min(1)
  .max(MAX_SIGN_IN_CLIENTS)

/**
 * Reads the list of identity providers that a sign-in may come from: JSON, a list of objects. Nothing in it
 * is secret. What is wrong is told with the place of each mistake.
 */
export function readSignInClients(
  json: string,
): Result<readonly SignInClient[], SignInClientsFailure> {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    const detail = 'must be JSON: a list of identity providers'
    return err({ reason: 'sign_in_clients_malformed', detail })
  }
  const parsed = clients.safeParse(value)
  if (!parsed.success) {
    const detail = parsed.error.issues
      .map((issue) => `${issue.path.join('.') || 'the list'}: ${describeIssue(issue)}`)
      .join('; ')
    return err({ reason: 'sign_in_clients_malformed', detail })
  }
  const names = parsed.data.map((client) => client.client_id)
  const repeated = names.find((name, index) => names.indexOf(name) !== index)
  if (repeated === undefined) return ok(parsed.data.map(toClient))
  return err({ reason: 'sign_in_clients_repeated', detail: `two have the client_id ${repeated}` })
}

function toClient(given: z.infer<typeof clients>[number]): SignInClient {
  if (given.provider === 'okta') {
    return { provider: 'okta', clientId: given.client_id, redirectUris: given.redirect_uris }
  }
  const authority = CLOUDS[given.cloud]
  const tenantId = given.tenant_id
  return {
    provider: 'entra',
    clientId: given.client_id,
    redirectUris: [authority + ENTRA_REDIRECT_PATH],
    tenantId,
    hintIssuer: `${authority}/${tenantId}/v2.0`,
    hintKeys: `${authority}/${tenantId}/discovery/v2.0/keys`,
  }
}
