import { z } from 'zod'
import { ASSERTION_TYPE } from '../../oauth/client-assertion.ts'
import { DPOP_ALGORITHMS } from '../../oauth/dpop.ts'
import { VERIFYING_ALGORITHMS } from '../../oauth/key-set.ts'
import { MAX_ASSERTION_CHARS } from '../../oauth/limits.ts'
import type {
  describeAuthorizationServer,
  describeProtectedResource,
} from '../../oauth/metadata.ts'
import { SCOPES } from '../../oauth/scopes.ts'
import type { Introspection } from '../../operations/oauth/introspect-token.ts'
import { OAUTH_ANSWERS } from '../errors/oauth-answers.ts'
import { SIGN_IN_CODE_ANSWERS } from '../errors/sign-in-answers.ts'
import { formOf } from './form-of.ts'

/** How a client proves itself in a form: by an assertion, and not besides HTTP Basic. */
const proof = {
  client_id: z
    .string()
    .optional()
    .meta({ description: 'Follows from how the client proves itself.' }),
  client_assertion_type: z.literal(ASSERTION_TYPE).optional(),
  client_assertion: z.string().max(MAX_ASSERTION_CHARS).optional().meta({
    contentMediaType: 'application/jwt',
    description: 'private_key_jwt (RFC 7523 §2.2), in the place of HTTP Basic.',
  }),
}

const tokenRequest = z.object({
  grant_type: z.literal('client_credentials'),
  scope: z
    .string()
    .optional()
    .meta({
      description: `Of ${SCOPES.join(' ')}, with a space between; all of the client's if absent.`,
    }),
  resource: z.string().optional().meta({ description: 'The issuer (RFC 8707 §2).' }),
  ...proof,
})

const tokenForm = z.object({
  token: z.string().min(1),
  token_type_hint: z.string().optional(),
  ...proof,
})

const error = z.enum([
  ...new Set([
    ...[...Object.values(OAUTH_ANSWERS), ...Object.values(SIGN_IN_CODE_ANSWERS)].map(
      ({ error }) => error,
    ),
    'server_error',
  ]),
])

const algorithms = z.array(z.enum(VERIFYING_ALGORITHMS))
const methods = z.array(z.string())
const seconds = z.int().min(0)

export const OAUTH_SCHEMAS = {
  TokenRequest: tokenRequest,
  TokenForm: tokenForm,
  OAuthError: z
    .object({ error, error_description: z.string() })
    .meta({ description: 'RFC 6749 §5.2; the description begins with a code of this service.' }),
  AccessToken: z
    .object({
      access_token: z.string().meta({ contentMediaType: 'application/jwt' }),
      token_type: z.enum(['Bearer', 'DPoP']),
      expires_in: seconds,
      scope: z.string(),
    })
    .meta({ description: 'RFC 6749 §5.1.' }),
  Introspection: formOf<Introspection>()(
    z.union([
      z.object({ active: z.literal(false) }),
      z.object({
        active: z.literal(true),
        scope: z.string(),
        client_id: z.string(),
        token_type: z.enum(['Bearer', 'DPoP']),
        exp: seconds,
        iat: seconds,
        sub: z.string(),
        aud: z.string(),
        iss: z.string(),
        jti: z.string(),
        cnf: z.object({ jkt: z.string() }).exactOptional(),
      }),
    ]),
  ),
  AuthorizationServer: formOf<ReturnType<typeof describeAuthorizationServer>>()(
    z.object({
      issuer: z.string(),
      token_endpoint: z.string(),
      jwks_uri: z.string(),
      scopes_supported: z.array(z.enum(SCOPES)),
      response_types_supported: z.array(z.never()),
      grant_types_supported: z.array(z.string()),
      token_endpoint_auth_methods_supported: z.array(
        z.enum(['client_secret_basic', 'private_key_jwt']),
      ),
      token_endpoint_auth_signing_alg_values_supported: algorithms,
      revocation_endpoint: z.string(),
      revocation_endpoint_auth_methods_supported: z.array(
        z.enum(['client_secret_basic', 'private_key_jwt']),
      ),
      revocation_endpoint_auth_signing_alg_values_supported: algorithms,
      introspection_endpoint: z.string(),
      introspection_endpoint_auth_methods_supported: z.array(
        z.enum(['client_secret_basic', 'private_key_jwt']),
      ),
      introspection_endpoint_auth_signing_alg_values_supported: algorithms,
      dpop_signing_alg_values_supported: z.array(z.enum(DPOP_ALGORITHMS)),
      protected_resources: z.array(z.string()),
    }),
  ),
  ProtectedResource: formOf<ReturnType<typeof describeProtectedResource>>()(
    z.object({
      resource: z.string(),
      authorization_servers: z.array(z.string()),
      scopes_supported: z.array(z.enum(SCOPES)),
      bearer_methods_supported: methods,
      dpop_signing_alg_values_supported: z.array(z.enum(DPOP_ALGORITHMS)),
      resource_name: z.string(),
    }),
  ),
} as const satisfies Readonly<Record<string, z.ZodType>>
