import { VERIFYING_ALGORITHMS } from '../../oauth/key-set.ts'

/** Paths of the OpenID provider, below our URL. */
export const PROVIDER_PATH = '/sign-in'
export const DISCOVERY_PATH = `${PROVIDER_PATH}/.well-known/openid-configuration`
export const PROVIDER_KEYS_PATH = `${PROVIDER_PATH}/keys`
export const AUTHORIZATION_PATH = `${PROVIDER_PATH}/authorize`
export const CODE_PATH = `${PROVIDER_PATH}/token`

/** The one algorithm that Entra takes of an external authentication method. */
export const ID_TOKEN_ALGORITHM = 'RS256'

/** Whose ID tokens they are: not our URL itself, which is the issuer of attestation tokens already. */
export function providerIssuer(publicUrl: string): string {
  return publicUrl + PROVIDER_PATH
}

/**
 * What an identity provider finds out about us (OpenID Connect Discovery 1.0 §3): what is served, and no
 * more. Entra is given ID tokens through the browser; Okta fetches them for a code.
 */
export function describeOpenIdProvider(publicUrl: string) {
  return {
    issuer: providerIssuer(publicUrl),
    authorization_endpoint: publicUrl + AUTHORIZATION_PATH,
    token_endpoint: publicUrl + CODE_PATH,
    token_endpoint_auth_methods_supported: [
      ...['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    ],
    token_endpoint_auth_signing_alg_values_supported: [...VERIFYING_ALGORITHMS],
    code_challenge_methods_supported: ['S256'],
    jwks_uri: publicUrl + PROVIDER_KEYS_PATH,
    scopes_supported: ['openid'],
    response_types_supported: ['id_token', 'code'],
    response_modes_supported: ['form_post', 'query'],
    grant_types_supported: ['implicit', 'authorization_code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [ID_TOKEN_ALGORITHM],
    claim_types_supported: ['normal'],
    claims_supported: ['iss', 'aud', 'sub', 'iat', 'exp', 'nonce', 'acr', 'amr', 'device_context'],
    claims_parameter_supported: true,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
  }
}
