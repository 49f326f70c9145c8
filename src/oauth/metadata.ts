import { DPOP_ALGORITHMS } from './dpop.ts'
import { VERIFYING_ALGORITHMS } from './key-set.ts'
import { SCOPES } from './scopes.ts'

/** Paths of the authorization server, below our URL. */
export const TOKEN_PATH = '/oauth/token'
export const REVOCATION_PATH = '/oauth/revoke'
export const INTROSPECTION_PATH = '/oauth/introspect'
export const SERVER_METADATA_PATH = '/.well-known/oauth-authorization-server'
export const RESOURCE_METADATA_PATH = '/.well-known/oauth-protected-resource'

/** How a client proves itself at our endpoints. RFC 8414 §2 */
const AUTHENTICATION_METHODS = ['client_secret_basic', 'private_key_jwt'] as const

/** What a client finds out about the authorization server (RFC 8414 §2): what is served, and no more. */
export function describeAuthorizationServer(issuer: string) {
  const methods = [...AUTHENTICATION_METHODS]
  const algorithms = [...VERIFYING_ALGORITHMS]
  return {
    issuer,
    token_endpoint: issuer + TOKEN_PATH,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    scopes_supported: [...SCOPES],
    // REQUIRED, and there is no authorization endpoint that would have any.
    response_types_supported: [],
    grant_types_supported: ['client_credentials'],
    token_endpoint_auth_methods_supported: methods,
    token_endpoint_auth_signing_alg_values_supported: algorithms,
    revocation_endpoint: issuer + REVOCATION_PATH,
    revocation_endpoint_auth_methods_supported: methods,
    revocation_endpoint_auth_signing_alg_values_supported: algorithms,
    introspection_endpoint: issuer + INTROSPECTION_PATH,
    introspection_endpoint_auth_methods_supported: methods,
    introspection_endpoint_auth_signing_alg_values_supported: algorithms,
    dpop_signing_alg_values_supported: [...DPOP_ALGORITHMS],
    protected_resources: [issuer],
  }
}

/** What a client finds out about the API (RFC 9728 §2). `issuers`: the organisation's own, besides ours. */
export function describeProtectedResource(resource: string, issuers: readonly string[]) {
  return {
    resource,
    authorization_servers: [resource, ...issuers],
    scopes_supported: [...SCOPES],
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: [...DPOP_ALGORITHMS],
    resource_name: 'Countersign',
  }
}

/**
 * Where a document about a URL stands: inserted before its path (RFC 8414 §3, RFC 9728 §3), and behind it
 * too, where a proxy takes the path away before it asks us.
 */
export function wellKnownPaths(base: string, url: string): readonly string[] {
  const { pathname } = new URL(url)
  return pathname === '/' ? [base] : [base, base + pathname]
}
