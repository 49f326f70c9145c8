import { z } from 'zod'
import type { SignInState } from '../../operations/sign-in/sign-in-state.ts'
import type { describeOpenIdProvider } from '../../vendors/oidc/discovery.ts'
import { formOf } from './form-of.ts'

const texts = z.array(z.string())

/**
 * The request of an identity provider for the authentication of a device (OpenID Connect Core 1.0 §3.1.2.1). Its
 * parameters are read one by one (`src/vendors/oidc/authentication-request.ts`), since the answer to what is wrong
 * depends on those before.
 */
export const authorizationRequest = z.object({
  client_id: z.string(),
  redirect_uri: z.string(),
  response_type: z.enum(['id_token', 'code']),
  response_mode: z.enum(['form_post', 'query']).optional(),
  scope: z.string().meta({ examples: ['openid'] }),
  nonce: z.string().optional(),
  state: z.string().optional(),
  prompt: z.string().optional(),
  claims: z.string().optional().meta({ contentMediaType: 'application/json' }),
  acr_values: z.string().optional(),
  id_token_hint: z.string().optional().meta({ contentMediaType: 'application/jwt' }),
  code_challenge: z.string().optional(),
  code_challenge_method: z.literal('S256').optional(),
})

/** Messages of sign-ins. */
export const SIGN_IN_SCHEMAS = {
  AuthorizationRequest: authorizationRequest,
  LeaveForm: z.object({ ticket: z.string().optional() }),
  CodeRequest: z.object({
    grant_type: z.literal('authorization_code'),
    code: z.string(),
    redirect_uri: z.string(),
    code_verifier: z.string().optional(),
    client_id: z.string().optional(),
    client_secret: z.string().optional(),
    client_assertion_type: z.string().optional(),
    client_assertion: z.string().optional().meta({ contentMediaType: 'application/jwt' }),
  }),
  IdTokenAnswer: z.object({
    access_token: z.string().meta({ description: 'Opens nothing: an answer has to have one.' }),
    token_type: z.literal('Bearer'),
    expires_in: z.int(),
    id_token: z.string().meta({ contentMediaType: 'application/jwt' }),
  }),
  SignInState: z.object({
    state: formOf<SignInState>()(z.enum(['waiting', 'proven', 'ended', 'expired'])),
  }),
  SignInTicket: z.object({ ticket: z.string(), continue_url: z.string() }),
  OpenIdProvider: formOf<ReturnType<typeof describeOpenIdProvider>>()(
    z.object({
      issuer: z.string(),
      authorization_endpoint: z.string(),
      token_endpoint: z.string(),
      token_endpoint_auth_methods_supported: texts,
      token_endpoint_auth_signing_alg_values_supported: z.array(
        z.enum(['ES256', 'PS256', 'RS256']),
      ),
      code_challenge_methods_supported: texts,
      jwks_uri: z.string(),
      scopes_supported: texts,
      response_types_supported: texts,
      response_modes_supported: texts,
      grant_types_supported: texts,
      subject_types_supported: texts,
      id_token_signing_alg_values_supported: texts,
      claim_types_supported: texts,
      claims_supported: texts,
      claims_parameter_supported: z.boolean(),
      request_parameter_supported: z.boolean(),
      request_uri_parameter_supported: z.boolean(),
    }),
  ),
} as const satisfies Readonly<Record<string, z.ZodType>>
