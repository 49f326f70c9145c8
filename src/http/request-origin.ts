import type { PersonOrigin } from '../store/system/person-sessions.ts'
import type { HttpContext } from './environment.ts'

const MAX_CHARS = 200

/**
 * From where a request comes: the other end of the connection on Node, and on Workers what Cloudflare says of it.
 * What proxies before that say of the address is kept beside it, as something that nobody proves.
 */
export function originOf(c: HttpContext): PersonOrigin {
  const { incoming } = c.env ?? {}
  const address =
    incoming === undefined ? c.req.header('cf-connecting-ip') : incoming.socket?.remoteAddress
  const forwardedFor = c.req.header('x-forwarded-for')?.slice(0, MAX_CHARS)
  const browser = c.req.header('user-agent')?.slice(0, MAX_CHARS)
  return {
    requestId: c.get('requestId'),
    address: (address ?? 'unknown').slice(0, MAX_CHARS),
    ...(forwardedFor !== undefined && { forwardedFor }),
    ...(browser !== undefined && { browser }),
  }
}
