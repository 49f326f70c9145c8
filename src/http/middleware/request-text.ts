import { createMiddleware } from 'hono/factory'
import { isStorableText } from '../../base/encoding.ts'
import type { HttpEnv } from '../environment.ts'
import { answerUnhandled } from '../errors/surface.ts'
import { notStorable } from '../read-json.ts'

/**
 * The one place where the URL of a request is shown to be text: each escape of path and query must be
 * whole and lead to UTF-8 (RFC 3986 §2.5), without NUL. Handlers then read no id and no parameter
 * that a database could not hold, and none that they would have to read as something else than it
 * says. Names and strings in a body are looked at where it is read (`readJsonText`). Headers cannot
 * hold either: NUL ends in the HTTP parser, and their characters are single bytes.
 */
export function refuseUnstorableUrl() {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const { url } = c.req
    if (url.includes('%') && !isTextualUrl(url)) {
      const { reason, detail } = notStorable('the URL')
      return answerUnhandled(c, reason, detail)
    }
    return next()
  })
}

function isTextualUrl(url: string): boolean {
  try {
    return isStorableText(decodeURIComponent(url))
  } catch {
    return false
  }
}
