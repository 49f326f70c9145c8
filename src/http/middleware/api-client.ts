import { createMiddleware } from 'hono/factory'
import { fromBase64, fromUtf8 } from '../../encoding.ts'
import type { Services } from '../../services.ts'
import type { ApiClient, Scope } from '../../store/store.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'

const MAX_AUTHORIZATION_CHARS = 1024

/**
 * Demands an API client with `scope`, proven by HTTP Basic (RFC 7617: id and secret).
 *
 * `refuse` words the answer in the standard of the surface.
 */
export function requireClient(
  services: Services,
  scope: Scope,
  refuse: (c: HttpContext, status: 401 | 403, message: string) => Response,
) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const client = await authenticate(services, c.req.header('authorization'))
    if (client === undefined) {
      c.header('www-authenticate', 'Basic realm="countersign", charset="UTF-8"')
      return refuse(c, 401, 'client credentials are missing or wrong')
    }
    if (!client.scopes.includes(scope)) {
      return refuse(c, 403, `this client does not have the scope ${scope}`)
    }
    c.set('client', client)
    return next()
  })
}

async function authenticate(
  services: Services,
  authorization: string | undefined,
): Promise<ApiClient | undefined> {
  const credentials = readBasic(authorization)
  return credentials && services.clients.verify(credentials)
}

function readBasic(authorization: string | undefined): { id: string; secret: string } | undefined {
  if (authorization === undefined || authorization.length > MAX_AUTHORIZATION_CHARS) return
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1]
  const bytes = encoded === undefined ? undefined : fromBase64(encoded)
  const text = bytes && fromUtf8(bytes)
  const colon = text?.indexOf(':') ?? -1
  if (text === undefined || colon < 1) return
  return { id: text.slice(0, colon), secret: text.slice(colon + 1) }
}
