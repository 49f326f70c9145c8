import type { Scope } from '../oauth/scopes.ts'

/** Who may ask for what wants no scope, and how else they prove themselves, if at all. */
export type OtherAccess =
  /** Public documents, and what says whether the service is there. */
  | 'anyone'
  /** A device, by evidence, a token of its own or a proof of its key. */
  | 'device'
  /** An API client that proves itself at the OAuth endpoints, whatever its scopes are. */
  | 'client'
  /** An identity provider, by what it signs. */
  | 'identity provider'
  /** A browser that an identity provider sends, for as long as one sign-in takes. */
  | 'browser'

/** Any one of several scopes does where there is a list. */
export type Access = Scope | readonly Scope[] | OtherAccess

/**
 * Who may ask for what: every route there is, by method and path. The routes of administrators are guarded by
 * this table itself (`guardRoutes`), so that one without a line here keeps the service from starting; the lines
 * of the others say what they demand by themselves. `test/http/route-access.test.ts` asks every route as every role.
 */
export const ROUTE_ACCESS = {
  'GET /v1/devices': 'admin.read',
  'POST /v1/devices': 'admin.operate',
  'GET /v1/devices/:id': 'admin.read',
  'PATCH /v1/devices/:id': 'admin.operate',
  'GET /v1/devices/:id/attestations': 'admin.read',
  'POST /v1/devices/:id/quarantine': 'admin.operate',
  'POST /v1/devices/:id/release': 'admin.operate',
  'POST /v1/devices/:id/admit': 'admin.operate',
  'POST /v1/devices/:id/sign-out': 'admin.operate',
  'GET /v1/refusals': 'admin.read',
  'GET /v1/audit': 'admin.read',
  'GET /v1/audit/log': 'admin.read',
  'GET /v1/audit/log/checkpoint': 'admin.read',
  'GET /v1/audit/log/tiles/:level/:tile': 'admin.read',
  'GET /v1/audit/log/proof': 'admin.read',
  'GET /v1/entities': 'admin.read',
  'POST /v1/entities': 'admin.write',
  'POST /v1/entities/remove': 'admin.write',
  'GET /v1/policy': 'admin.read',
  'PUT /v1/policy': 'admin.author',
  'POST /v1/policy/rollback': 'admin.author',
  'GET /v1/reference-values': 'admin.read',
  'PUT /v1/reference-values': 'admin.author',
  'POST /v1/reference-values/rollback': 'admin.author',
  'POST /v1/previews': 'admin.author',
  'POST /v1/explanations': 'admin.read',
  'GET /v1/rollouts': 'admin.read',
  'POST /v1/rollouts': 'admin.author',
  'GET /v1/rollouts/:id': 'admin.read',
  // Whoever is on call stops a rollout, and leaves the rest to its author.
  'POST /v1/rollouts/:id/pause': ['admin.author', 'admin.operate'],
  'POST /v1/rollouts/:id/resume': 'admin.author',
  'POST /v1/rollouts/:id/promote': 'admin.author',
  'POST /v1/rollouts/:id/revert': 'admin.author',
  'GET /v1/overrides': 'admin.read',
  'POST /v1/overrides': 'admin.operate',
  'DELETE /v1/overrides/:id': 'admin.operate',
  'GET /v1/expiry': 'admin.read',
  'GET /v1/alarms': 'admin.read',
  'GET /v1/alarms/names': 'admin.read',
  'GET /v1/webhooks': 'admin.read',
  'POST /v1/webhooks': 'admin.write',
  'POST /v1/webhooks/:id/rotate': 'admin.write',
  'POST /v1/webhooks/:id/test': 'admin.write',
  'DELETE /v1/webhooks/:id': 'admin.write',
  'GET /v1/holds': 'admin.read',
  'POST /v1/holds/:id/end': 'admin.operate',
  'GET /v1/second-requests': 'admin.read',
  'GET /v1/second-requests/:id': 'admin.read',
  'POST /v1/second-requests/:id/approve': 'admin.approve',
  'GET /v1/sessions': 'admin.read',
  'POST /v1/people/:id/end-sessions': 'admin.write',

  'POST /access/v1/evaluation': 'access.evaluate',
  'POST /access/v1/evaluations': 'access.evaluate',
  'POST /access/v1/search/subject': 'access.evaluate',
  'POST /access/v1/search/resource': 'access.evaluate',
  'POST /access/v1/search/action': 'access.evaluate',
  'GET /v1/devices/:id/attestation-result': 'access.evaluate',
  'POST /vendors/okta/token-hook': 'access.evaluate',

  'GET /ssf/stream': 'ssf.read',
  'POST /ssf/stream': 'ssf.manage',
  'PATCH /ssf/stream': 'ssf.manage',
  'PUT /ssf/stream': 'ssf.manage',
  'DELETE /ssf/stream': 'ssf.manage',
  'GET /ssf/status': 'ssf.read',
  'POST /ssf/status': 'ssf.manage',
  'POST /ssf/verify': 'ssf.manage',
  'POST /ssf/subjects/add': 'ssf.manage',
  'POST /ssf/subjects/remove': 'ssf.manage',
  'POST /ssf/poll/:id': 'ssf.read',

  'GET /console': 'admin.read',
  'GET /console/devices': 'admin.read',
  'GET /console/devices/export.csv': 'admin.read',
  'GET /console/devices/export.jsonl': 'admin.read',
  'GET /console/devices/:id': 'admin.read',
  'GET /console/devices/:id/boot-log': 'admin.read',
  // Reads a file that is sent along, and keeps nothing of it.
  'POST /console/devices/:id/boot-log': 'admin.read',
  'POST /console/devices/:id/quarantine': 'admin.operate',
  'POST /console/devices/:id/release': 'admin.operate',
  'POST /console/devices/:id/admit': 'admin.operate',
  'POST /console/devices/:id/sign-out': 'admin.operate',
  'POST /console/devices/:id/allow': 'admin.operate',
  'POST /console/devices/:id/attributes': 'admin.operate',
  'POST /console/devices/:id/replaces': 'admin.operate',
  'GET /console/policies': 'admin.read',
  'GET /console/policies/policy': 'admin.read',
  'GET /console/policies/policy/edit': 'admin.author',
  'POST /console/policies/policy/edit': 'admin.author',
  'POST /console/policies/policy/rollback': 'admin.author',
  'GET /console/policies/policy/versions/:hash': 'admin.read',
  'POST /console/policies/policy/versions/:hash/preview': 'admin.author',
  'POST /console/policies/policy/versions/:hash/release': 'admin.author',
  'POST /console/policies/policy/versions/:hash/approve': 'admin.approve',
  'GET /console/policies/reference-values': 'admin.read',
  'GET /console/policies/reference-values/edit': 'admin.author',
  'POST /console/policies/reference-values/edit': 'admin.author',
  'POST /console/policies/reference-values/rollback': 'admin.author',
  'GET /console/policies/reference-values/versions/:hash': 'admin.read',
  'POST /console/policies/reference-values/versions/:hash/preview': 'admin.author',
  'POST /console/policies/reference-values/versions/:hash/release': 'admin.author',
  'POST /console/policies/reference-values/versions/:hash/approve': 'admin.approve',
  // Whoever is on call stops a rollout, and leaves the rest to its author.
  'POST /console/policies/rollouts/:id/pause': ['admin.author', 'admin.operate'],
  'POST /console/policies/rollouts/:id/resume': 'admin.author',
  'POST /console/policies/rollouts/:id/promote': 'admin.author',
  'POST /console/policies/rollouts/:id/revert': 'admin.author',
  'GET /console/entities': 'admin.read',
  'GET /console/entities/one': 'admin.read',
  'GET /console/streams': 'admin.read',
  'GET /console/streams/:id': 'admin.read',
  'POST /console/streams/:id/enable': 'admin.write',
  'POST /console/streams/:id/pause': 'admin.write',
  'POST /console/streams/:id/disable': 'admin.write',
  'POST /console/streams/:id/test': 'admin.write',
  'POST /console/streams/:id/replay': 'admin.write',
  'GET /console/clients': 'admin.read',
  'POST /console/clients': 'admin.write',
  'GET /console/clients/:id': 'admin.read',
  'POST /console/clients/:id/rotate': 'admin.write',
  'POST /console/clients/:id/disable': 'admin.write',
  'GET /console/keys': 'admin.read',
  'POST /console/keys/:use/rotate': 'admin.write',
  'GET /console/audit': 'admin.read',
  'GET /console/settings': 'admin.read',
  'GET /console/sign-in': 'browser',
  'GET /console/callback': 'browser',
  'GET /console/link': 'browser',
  'POST /console/sign-out': 'browser',
  'GET /console/signed-out': 'anyone',
  'GET /console/assets/:file': 'anyone',

  'POST /oauth/token': 'client',
  'POST /oauth/revoke': 'client',
  'POST /oauth/introspect': 'client',
  'POST /sign-in/token': 'client',

  'POST /vendors/entra/token-issuance-start': 'identity provider',
  'POST /vendors/cloudflare/evaluation': 'identity provider',
  'POST /vendors/cloudflare/posture': 'identity provider',
  'GET /sign-in/authorize': 'identity provider',
  'POST /sign-in/authorize': 'identity provider',

  'GET /sign-in/:id': 'browser',
  'GET /sign-in/:id/state': 'browser',
  'GET /sign-in/:id/continue': 'browser',
  'POST /sign-in/:id/leave': 'browser',

  'POST /v1/challenge': 'device',
  'POST /attest/Tpm': 'device',
  'POST /v1/attestations': 'device',
  'POST /v1/enrolments': 'device',
  'POST /v1/enrolments/activate': 'device',
  'POST /v1/sign-ins/:id/proof': 'device',

  'GET /certs': 'anyone',
  'GET /.well-known/openid-configuration': 'anyone',
  'GET /.well-known/jwks.json': 'anyone',
  'GET /.well-known/authzen-configuration': 'anyone',
  'GET /.well-known/ssf-configuration': 'anyone',
  'GET /.well-known/oauth-authorization-server': 'anyone',
  'GET /.well-known/oauth-protected-resource': 'anyone',
  'GET /sign-in/.well-known/openid-configuration': 'anyone',
  'GET /sign-in/keys': 'anyone',
  'GET /vendors/cloudflare/keys': 'anyone',
  'GET /v1/status-list': 'anyone',
  'GET /openapi.json': 'anyone',
  'GET /openapi': 'anyone',
  'GET /openapi/operations/:id': 'anyone',
  'GET /openapi/schemas/:name': 'anyone',
  'GET /openapi.css': 'anyone',
  'GET /healthz': 'anyone',
  'GET /readyz': 'anyone',
  'GET /metrics': 'anyone',
} as const satisfies Readonly<Record<string, Access>>

export type Route = keyof typeof ROUTE_ACCESS

/** The scopes of which one is needed for a route; none where it wants something else than a scope. */
export function scopesOfRoute(route: Route): readonly Scope[] {
  const access: Access = ROUTE_ACCESS[route]
  if (typeof access !== 'string') return access
  return isScope(access) ? [access] : []
}

export function isRoute(name: string): name is Route {
  return Object.hasOwn(ROUTE_ACCESS, name)
}

/** Scopes are names with a dot, and nothing else here is. */
function isScope(access: Scope | OtherAccess): access is Scope {
  return access.includes('.')
}
