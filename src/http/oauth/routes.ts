import { Hono } from 'hono'
import type { Result } from '../../base/result.ts'
import {
  describeAuthorizationServer,
  describeProtectedResource,
  INTROSPECTION_PATH,
  RESOURCE_METADATA_PATH,
  REVOCATION_PATH,
  SERVER_METADATA_PATH,
  TOKEN_PATH,
  wellKnownPaths,
} from '../../oauth/metadata.ts'
import { decodeFormText, type Form } from '../../oauth/token-form.ts'
import {
  type AuthenticationDependencies,
  authenticateClient,
  type ClientAuthenticationFailure,
  type ClientCredentials,
} from '../../operations/oauth/authenticate-client.ts'
import {
  type IntrospectionDependencies,
  introspectToken,
} from '../../operations/oauth/introspect-token.ts'
import {
  type IssuedToken,
  issueToken,
  type TokenDependencies,
} from '../../operations/oauth/issue-token.ts'
import { type RevocationDependencies, revokeToken } from '../../operations/oauth/revoke-token.ts'
import type { StoredClient } from '../../store/system/clients.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import {
  answerFormFailure,
  answerOAuthError,
  answerOAuthFailure,
  type OAuthFailure,
} from '../errors/oauth-error.ts'
import { readBasic } from '../middleware/basic-credentials.ts'
import { NOBODY, noteClientRefusal, type RefusalServices } from '../middleware/note-refusal.ts'
import { type KnownOrigins, urlOf } from '../middleware/request-url.ts'
import { answerPublic } from '../public-document.ts'
import { readFormBody } from './read-form.ts'

/** What the OAuth endpoints work with. */
export type OAuthServices = AuthenticationDependencies &
  TokenDependencies &
  RevocationDependencies &
  IntrospectionDependencies &
  RefusalServices &
  KnownOrigins & {
    /** Of the organisation, whose tokens are taken besides ours: what their `iss` says. */
    readonly otherIssuers: readonly string[]
  }

type Asked = { readonly client: StoredClient; readonly form: Form }

/** We are an authorization server for our own API: client credentials, revocation, introspection. */
export function oauthRoutes(services: OAuthServices): Hono<HttpEnv> {
  const { issuer, otherIssuers } = services
  const app = new Hono<HttpEnv>()
  app.post(TOKEN_PATH, (c) =>
    withClient(c, services, async ({ client, form }) => {
      const proof = { header: c.req.header('dpop'), method: 'POST', url: urlOf(c, services) }
      const issued = await issueToken(services, { client, form, proof })
      return issued.ok ? answerToken(c, issued.value) : issued
    }),
  )
  app.post(REVOCATION_PATH, (c) =>
    withClient(c, services, async (asked) => {
      const revoked = await revokeToken(services, asked)
      return revoked.ok ? c.body(null, 200) : revoked
    }),
  )
  app.post(INTROSPECTION_PATH, (c) =>
    withClient(c, services, async (asked) => {
      const told = await introspectToken(services, asked)
      return told.ok ? c.json(told.value) : told
    }),
  )
  const documents = [
    [SERVER_METADATA_PATH, describeAuthorizationServer(issuer)],
    [RESOURCE_METADATA_PATH, describeProtectedResource(issuer, otherIssuers)],
  ] as const
  for (const [base, document] of documents) {
    for (const path of wellKnownPaths(base, issuer)) {
      app.get(path, (c) => answerPublic(c, document))
    }
  }
  return app
}

/** Reads the form, and has the request of a proven client answered. */
async function withClient(
  c: HttpContext,
  services: OAuthServices,
  run: (asked: Asked) => Promise<Response | Exclude<Result<never, OAuthFailure>, { ok: true }>>,
): Promise<Response> {
  const form = await readFormBody(c)
  if (!form.ok) {
    const { failure } = form
    return 'detail' in failure ? answerFormFailure(c, failure) : answerOAuthFailure(c, failure)
  }
  const basic = readCredentials(c.req.header('authorization'))
  const client = await authenticateClient(services, { basic, form: form.value })
  if (!client.ok) return refuseClient(c, services, client.failure)
  const answered = await run({ client: client.value, form: form.value })
  return answered instanceof Response ? answered : answerOAuthFailure(c, answered.failure)
}

/** RFC 6749 §2.3.1: id and secret are form-encoded before they are put together. */
export function readCredentials(authorization: string | undefined): ClientCredentials['basic'] {
  if (authorization === undefined) return undefined
  const sent = readBasic(authorization)
  const id = sent && decodeFormText(sent.id)
  const secret = sent && decodeFormText(sent.secret)
  return id === undefined || secret === undefined ? 'malformed' : { id, secret }
}

/** Answers a request whose client is not proven; one that is refused too often waits. */
export function refuseClient(
  c: HttpContext,
  services: RefusalServices,
  failure: ClientAuthenticationFailure,
): Response {
  const { reason, clientId } = failure
  const isOfAskingNobody = reason === 'client_authentication_missing'
  const client = clientId ?? (isOfAskingNobody ? undefined : NOBODY)
  const wait = noteClientRefusal(c, services, { client, reason, scope: 'oauth' })
  if (wait === 0) return answerOAuthFailure(c, failure)
  c.header('retry-after', String(wait))
  return answerOAuthError(c, 'client_rate_limited', 'this client was refused too often')
}

/** RFC 6749 §5.1, RFC 9449 §5; nothing may keep it, as is said of every answer. */
function answerToken(c: HttpContext, issued: IssuedToken): Response {
  const { accessToken, type, seconds, scopes, nonce } = issued
  if (nonce !== undefined) c.header('dpop-nonce', nonce)
  const scope = scopes.join(' ')
  return c.json({ access_token: accessToken, token_type: type, expires_in: seconds, scope })
}
