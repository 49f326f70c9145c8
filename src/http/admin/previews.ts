import { Hono } from 'hono'
import { z } from 'zod'
import type { Services } from '../../compose/services.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'
import { previewDocument } from '../../operations/release/preview.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem, answerUnauthorized } from '../errors/problem.ts'
import { requireClient } from '../middleware/api-client.ts'
import { documentMembers, readDocument } from './document-of-body.ts'
import { MAX_DOCUMENT_BYTES, readBody } from './read-body.ts'

const previewBody = z.strictObject(documentMembers)

const RETRY_AFTER_SECONDS = 5
/** What servers write down for a client that did not wait. Nobody reads the answer. */
const CLIENT_GONE = 499

/** What a document would change for the recorded fleet, which a release asks for. */
export function adminPreviewRoutes(services: Services): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const mayWrite = requireClient(services, 'admin.write', answerUnauthorized)
  let isBusy = false

  app.post('/v1/previews', mayWrite, async (c) => {
    const body = await readBody(c, previewBody, MAX_DOCUMENT_BYTES)
    if (!body.ok) return body.failure.answer
    const { kind } = body.value
    const checked = await readDocument(c, services, body.value)
    if (!checked.ok) return checked.failure.answer
    if (isBusy) {
      c.header('retry-after', String(RETRY_AFTER_SECONDS))
      return answerProblem(c, 'preview_busy')
    }
    isBusy = true
    try {
      return await preview(c, services, { kind, candidate: checked.value.document })
    } finally {
      isBusy = false
    }
  })
  return app
}

async function preview(
  c: HttpContext,
  services: Services,
  input: Pick<Parameters<typeof previewDocument>[0], 'kind' | 'candidate'>,
): Promise<Response> {
  const { store, clock } = services
  const hardware = { requiresHardware: requiresHardware(services.config) }
  const { signal } = c.req.raw
  try {
    const by = c.get('client').clientId
    const previewed = await previewDocument({ store, clock, by, signal, ...hardware, ...input })
    if (!previewed.ok) throw new TypeError('a document that was checked does not compile')
    return c.json(previewed.value)
  } catch (error) {
    if (!signal.aborted) throw error
    return new Response(null, { status: CLIENT_GONE })
  }
}
