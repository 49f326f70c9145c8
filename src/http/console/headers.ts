import type { MiddlewareHandler } from 'hono'
import { csrf } from 'hono/csrf'
import { createMiddleware } from 'hono/factory'
import { HTTPException } from 'hono/http-exception'
import { NONCE, secureHeaders } from 'hono/secure-headers'
import type { HttpEnv } from '../environment.ts'
import { answerNotice } from './notice.ts'

/**
 * What every page of the console is sent with. Scripts and styles are our own files, let in by the nonce of the
 * page; nothing stands in the page itself, and nothing is fetched from anybody else.
 */
export function consoleHeaders(publicUrl: string): MiddlewareHandler<HttpEnv> {
  return secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      baseUri: ["'none'"],
      frameAncestors: ["'none'"],
      formAction: ["'self'"],
      scriptSrc: [NONCE],
      styleSrc: [NONCE],
      imgSrc: ["'self'"],
      connectSrc: ["'self'"],
    },
    // Others are told nothing, and we are told by our own pages where a form comes from.
    referrerPolicy: 'same-origin',
    xFrameOptions: 'DENY',
    strictTransportSecurity: publicUrl.startsWith('https:') ? 'max-age=31536000' : false,
    permissionsPolicy: { camera: [], geolocation: [], microphone: [], payment: [], usb: [] },
  })
}

/**
 * Refuses what another site posts: a change has to come from a page of ours, as the browser says by
 * `Sec-Fetch-Site` or by `Origin`. That cookies are `Lax` is a second reason for the same.
 */
export function refuseCrossSite(origins: readonly string[]): MiddlewareHandler<HttpEnv> {
  const check = csrf({ origin: [...origins] })
  return createMiddleware<HttpEnv>(async (c, next) => {
    try {
      await check(c, async () => {})
    } catch (error) {
      if (!(error instanceof HTTPException)) throw error
      return answerNotice(c, { code: 'cross_site_refused' })
    }
    return next()
  })
}
