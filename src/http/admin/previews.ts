import { Hono } from 'hono'
import { z } from 'zod'
import { demandCompiled } from '../../operations/release/check-document.ts'
import type { HttpEnv } from '../environment.ts'
import { answerFailure } from './answer-failure.ts'
import { readDocumentBody } from './read-body.ts'
import { documentMembers, readDocument } from './read-document.ts'
import type { AdminServices } from './services.ts'

/** The document to look ahead with. */
export const previewBody = z.strictObject(documentMembers)

/** What a document would change for the recorded fleet, which a release asks for. */
export function adminPreviewRoutes(services: AdminServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()

  app.post('/v1/previews', async (c) => {
    const read = await readDocumentBody(c, previewBody)
    if (!read.ok) return answerFailure(c, read.failure)
    const linted = await readDocument(services.store, read.value, services.clock())
    if (!linted.ok) return answerFailure(c, linted.failure)
    const document = demandCompiled(linted.value)
    if (!document.ok) return answerFailure(c, document.failure)
    const by = c.get('client').clientId
    const { signal } = c.req.raw
    const summary = await services.releases.preview({ document: document.value, by, signal })
    if (summary === undefined) return answerFailure(c, { reason: 'preview_busy' })
    return c.json(summary)
  })
  return app
}
