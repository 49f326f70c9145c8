import { createMiddleware } from 'hono/factory'
import { err, type Result } from '../../base/result.ts'
import type { ClientDirectory, ClientFailure } from '../../keys/client-directory.ts'
import { mayDo, type Scope } from '../../oauth/scopes.ts'
import type { Caller, HttpContext, HttpEnv } from '../environment.ts'
import { answerCaller, readPresented, type TokenServices } from './access-token.ts'
import { readBasic } from './basic-credentials.ts'
import { askForCredentials, askForScope } from './challenges.ts'
import { NOBODY, noteClientRefusal, type RefusalServices } from './note-refusal.ts'
import type { RefuseClient } from './refuse-client.ts'

type CredentialsFailure =
  | ClientFailure
  | { readonly reason: 'credentials_missing' | 'credentials_malformed' }

/** What callers are known by, and what is noted of those that are refused. */
export type ClientServices = RefusalServices &
  TokenServices & {
    readonly clients: Pick<ClientDirectory, 'verify'>
  }

/**
 * Demands a caller with `scope`, or with one of several: an API client that is proven by HTTP Basic (RFC 7617:
 * id and secret), or whoever has an access token (RFC 6750, RFC 9449).
 *
 * `refuse` words the answer in the standard of the surface. Each refusal is counted by its reason and,
 * up to a limit for each client, logged; past the limit the answer is 429. The limit never keeps out
 * whoever has the secret: an identity provider must not be locked out by somebody else's guesses.
 */
export function requireClient(
  services: ClientServices,
  scope: Scope | readonly Scope[],
  refuse: RefuseClient,
) {
  const scopes = typeof scope === 'string' ? [scope] : scope
  const wanted = scopes.join(' or ')
  return createMiddleware<HttpEnv>(async (c, next) => {
    const authorization = c.req.header('authorization')
    const presented = readPresented(c, services, authorization)
    if (presented !== undefined) {
      const caller = await answerCaller(c, services, { presented, scope: wanted, refuse })
      if (caller instanceof Response) return caller
      return admit(c, services, { caller, scopes, refuse, byToken: true }) ?? next()
    }
    const { id, result } = await authenticate(services, authorization)
    if (!result.ok) {
      const { reason } = result.failure
      const client = reason === 'client_unknown' ? NOBODY : id
      const wait = noteClientRefusal(c, services, { client, reason, scope: wanted })
      if (wait > 0) return answerWait(c, refuse, wait)
      askForCredentials(c, services.resourceMetadata)
      return refuse(c, 'unauthenticated', 'client credentials are missing or wrong')
    }
    return admit(c, services, { caller: result.value, scopes, refuse, byToken: false }) ?? next()
  })
}

/** The answer to a caller without the scope; nothing for one that has it. */
function admit(
  c: HttpContext,
  services: ClientServices,
  asked: {
    readonly caller: Caller
    readonly scopes: readonly Scope[]
    readonly refuse: RefuseClient
    readonly byToken: boolean
  },
): Response | undefined {
  const { caller, scopes, refuse, byToken } = asked
  if (scopes.some((scope) => mayDo(caller.scopes, scope))) {
    c.set('client', caller)
    return undefined
  }
  const scope = scopes.join(' or ')
  const refusal = { client: caller.clientId, reason: 'scope_missing', scope }
  const wait = noteClientRefusal(c, services, refusal)
  if (wait > 0) return answerWait(c, refuse, wait)
  if (byToken) askForScope(c, services.resourceMetadata, scopes[0] ?? '')
  return refuse(c, 'forbidden', `this client does not have the scope ${scope}`)
}

function answerWait(c: HttpContext, refuse: RefuseClient, seconds: number): Response {
  c.header('retry-after', String(seconds))
  return refuse(c, 'client_rate_limited', 'this client was refused too often; try again later')
}

type Authentication = {
  readonly id: string | undefined
  readonly result: Result<Caller, CredentialsFailure>
}

async function authenticate(
  { clients }: ClientServices,
  authorization: string | undefined,
): Promise<Authentication> {
  if (authorization === undefined) {
    return { id: undefined, result: err({ reason: 'credentials_missing' }) }
  }
  const credentials = readBasic(authorization)
  if (credentials === undefined) {
    return { id: undefined, result: err({ reason: 'credentials_malformed' }) }
  }
  return { id: credentials.id, result: await clients.verify(credentials) }
}
