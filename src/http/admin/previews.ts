import { Hono } from 'hono'
import { z } from 'zod'
import { type CheckedDocument, demandCompiled } from '../../operations/release/check-document.ts'
import { previewDocument } from '../../operations/release/preview.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerUnauthorized } from '../errors/problem.ts'
import { requireClient } from '../middleware/api-client.ts'
import { answerFailure } from './answer-failure.ts'
import { readDocumentBody } from './read-body.ts'
import { documentMembers, readDocument } from './read-document.ts'
import type { AdminServices } from './services.ts'

const previewBody = z.strictObject(documentMembers)

/** What servers write down for a client that did not wait. Nobody reads the answer. */
const CLIENT_GONE = 499

/** What a document would change for the recorded fleet, which a release asks for. */
export function adminPreviewRoutes(services: AdminServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const mayWrite = requireClient(services, 'admin.write', answerUnauthorized)
  let isBusy = false

  app.post('/v1/previews', mayWrite, async (c) => {
    const read = await readDocumentBody(c, previewBody)
    if (!read.ok) return answerFailure(c, read.failure)
    const linted = await readDocument(services.store, read.value, services.clock())
    if (!linted.ok) return answerFailure(c, linted.failure)
    const document = demandCompiled(linted.value)
    if (!document.ok) return answerFailure(c, document.failure)
    if (isBusy) return answerFailure(c, { reason: 'preview_busy' })
    isBusy = true
    try {
      return await preview(c, services, document.value)
    } finally {
      isBusy = false
    }
  })
  return app
}

async function preview(
  c: HttpContext,
  { previews }: AdminServices,
  document: CheckedDocument,
): Promise<Response> {
  const { signal } = c.req.raw
  try {
    const by = c.get('client').clientId
    return c.json(await previewDocument(previews, { document, by, signal }))
  } catch (error) {
    if (!signal.aborted) throw error
    return new Response(null, { status: CLIENT_GONE })
  }
}
