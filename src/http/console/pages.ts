import { Hono } from 'hono'
import { VERSION } from '../../base/version.ts'
import { mayDo } from '../../oauth/scopes.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerUnhandled } from '../errors/surface.ts'
import { answerPage, type Viewer } from './layout.ts'
import { CONSOLE_SECTIONS } from './sections.ts'
import { type ConsolePageServices, type PageServices, placeOf } from './services.ts'
import { ASSETS, ASSETS_PATH } from './style.ts'

/**
 * The pages of the console. Each has a line in `ROUTE_ACCESS`, which says who may see it; who asks stands under
 * `client`, as for a program, and under `signedIn`, with their name and roles.
 */
export function consolePages(services: ConsolePageServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const { host } = new URL(services.publicUrl)
  const frame = {
    ...{ sections: CONSOLE_SECTIONS, host, version: VERSION, prefix: placeOf(services, '') },
  }
  const pages: PageServices = {
    ...services,
    viewerOf,
    show: (c, page) => answerPage(c, { ...frame, viewer: viewerOf(c) }, page),
    lead: (c, path) => c.redirect(placeOf(services, path), 303),
  }
  for (const { routes } of CONSOLE_SECTIONS) app.route('/', routes(pages))
  return app
}

/** For a year: the name of a file changes with its content. */
const FOR_EVER = 'public, max-age=31536000, immutable'

/** What pages look like: for anybody, and the same for everybody. */
export function consoleAssets(): Hono<HttpEnv> {
  return new Hono<HttpEnv>().get(`${ASSETS_PATH}/:file`, (c) => {
    const asset = ASSETS.get(c.req.param('file'))
    if (asset === undefined) return answerUnhandled(c, 'not_found')
    return c.body(asset.text, 200, { 'content-type': asset.type, 'cache-control': FOR_EVER })
  })
}

function viewerOf(c: HttpContext): Viewer {
  const { scopes } = c.get('client')
  const { person } = c.get('signedIn')
  return { name: person.name, roles: person.roles, may: (scope) => mayDo(scopes, scope) }
}
