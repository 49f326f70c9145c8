import { Hono } from 'hono'
import type { HttpEnv } from '../environment.ts'
import { answerProblem } from '../errors/problem.ts'
import { answerPublic } from '../public-document.ts'

/**
 * The OpenAPI document, and pages that show it to people. Few ask for either, and no start has to wait for them: they
 * are loaded when they are asked for.
 */
export function openApiRoutes(): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  app.get('/openapi.json', async (c) => {
    const { describeApi } = await import('./document.ts')
    return answerPublic(c, describeApi())
  })
  app.get('/openapi.css', async (c) => {
    const { STYLE } = await import('./page/style.ts')
    return c.body(STYLE, 200, { 'content-type': 'text/css; charset=UTF-8' })
  })
  app.get('/openapi', async (c) => {
    const { answerContents } = await import('./page/pages.ts')
    return answerContents(c)
  })
  app.get('/openapi/operations/:id', async (c) => {
    const { answerOperation } = await import('./page/pages.ts')
    return answerOperation(c, c.req.param('id')) ?? answerProblem(c, 'not_found')
  })
  app.get('/openapi/schemas/:name', async (c) => {
    const { answerSchema } = await import('./page/pages.ts')
    return answerSchema(c, c.req.param('name')) ?? answerProblem(c, 'not_found')
  })
  return app
}
