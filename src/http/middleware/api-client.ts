import { createMiddleware } from 'hono/factory'
import { fromBase64, fromUtf8 } from '../../base/encoding.ts'
import type { Log } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import { err, type Result } from '../../base/result.ts'
import type { ClientDirectory, ClientFailure } from '../../keys/client-directory.ts'
import type { DeviceLimiter } from '../../operations/attest/device-limiter.ts'
import type { ApiClient, Scope } from '../../store/store.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'

const MAX_AUTHORIZATION_CHARS = 1024

/** What all ids that no client has are counted under: whoever invents them fills nothing. */
const NOBODY = 'unknown'

/** Not proven to be a client; a client without the scope; refused too often. */
export type ClientRefusal = 'unauthenticated' | 'forbidden' | 'client_rate_limited'

/** Words a refusal in the standard of a surface. */
type RefuseClient = (c: HttpContext, code: ClientRefusal, message: string) => Response

type CredentialsFailure =
  | ClientFailure
  | { readonly reason: 'credentials_missing' | 'credentials_malformed' }

/** What API clients are known by, and what is noted of those that are refused. */
export type ClientServices = {
  readonly clients: ClientDirectory
  /** Requests whose credentials or scope were refused, by client. */
  readonly clientRefusals: DeviceLimiter
  readonly metrics: Metrics
  readonly log: Log
  readonly clock: () => Date
}

/**
 * Demands an API client with `scope`, proven by HTTP Basic (RFC 7617: id and secret).
 *
 * `refuse` words the answer in the standard of the surface. Each refusal is counted by its reason and,
 * up to a limit for each client, logged; past the limit the answer is 429. The limit never keeps out
 * whoever has the secret: an identity provider must not be locked out by somebody else's guesses.
 */
export function requireClient(services: ClientServices, scope: Scope, refuse: RefuseClient) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const { id, result } = await authenticate(services, c.req.header('authorization'))
    if (!result.ok) {
      const { reason } = result.failure
      const client = reason === 'client_unknown' ? NOBODY : id
      const wait = noteRefusal(c, services, { client, reason, scope })
      if (wait > 0) return answerWait(c, refuse, wait)
      c.header('www-authenticate', 'Basic realm="countersign", charset="UTF-8"')
      return refuse(c, 'unauthenticated', 'client credentials are missing or wrong')
    }
    if (!result.value.scopes.includes(scope)) {
      const wait = noteRefusal(c, services, { client: id, reason: 'scope_missing', scope })
      if (wait > 0) return answerWait(c, refuse, wait)
      return refuse(c, 'forbidden', `this client does not have the scope ${scope}`)
    }
    c.set('client', result.value)
    return next()
  })
}

type Refusal = {
  /** The id of a client that there is, or what stands for all others; `undefined` if none was given. */
  readonly client: string | undefined
  readonly reason: CredentialsFailure['reason'] | 'scope_missing'
  readonly scope: Scope
}

/** Seconds that the client has to wait, or 0. */
function noteRefusal(
  c: HttpContext,
  { metrics, log, clientRefusals, clock }: ClientServices,
  { client, reason, scope }: Refusal,
): number {
  metrics.clientRefusals.inc({ reason })
  // Without credentials nobody was guessed at: crawlers and checks of health do that all day.
  if (client === undefined) return 0
  const wait = clientRefusals.charge(client, clock())
  if (wait === 0) {
    log.warn('client_refused', { request_id: c.get('requestId'), client, reason, scope })
  }
  return wait
}

function answerWait(c: HttpContext, refuse: RefuseClient, seconds: number): Response {
  c.header('retry-after', String(seconds))
  return refuse(c, 'client_rate_limited', 'this client was refused too often; try again later')
}

type Authentication = {
  readonly id: string | undefined
  readonly result: Result<ApiClient, CredentialsFailure>
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

function readBasic(authorization: string): { id: string; secret: string } | undefined {
  if (authorization.length > MAX_AUTHORIZATION_CHARS) return
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1]
  const bytes = encoded === undefined ? undefined : fromBase64(encoded)
  const text = bytes && fromUtf8(bytes)
  const colon = text?.indexOf(':') ?? -1
  if (text === undefined || colon < 1) return
  return { id: text.slice(0, colon), secret: text.slice(colon + 1) }
}
