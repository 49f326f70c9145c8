import { Hono } from 'hono'
import { z } from 'zod'
import {
  parseReferenceValues,
  type ReferenceValuesDocument,
} from '../../appraisal/reference-values.ts'
import type { Failure, Result } from '../../failure.ts'
import { compilePolicy } from '../../policy/compile.ts'
import type { PolicyDocument } from '../../policy/document.ts'
import type { Services } from '../../services.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { requireClient } from '../middleware/api-client.ts'
import { answerProblem, answerUnauthorized } from '../problem.ts'
import { readJson } from '../read-json.ts'

const MAX_DOCUMENT_BYTES = 1024 * 1024

const activation = z.strictObject({
  reason: z.string().trim().min(1).max(500),
  document: z.record(z.string(), z.unknown()),
})

type Kind = 'policy' | 'reference-values'
type Checked = {
  readonly hash: string
  readonly document: PolicyDocument | ReferenceValuesDocument
}
type Compile = (body: unknown) => Result<Checked, Failure>

/** The documents in force: what they are, and putting another in their place. */
export function adminDocumentRoutes(services: Services): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const mayRead = requireClient(services, 'admin.read', answerUnauthorized)
  const mayWrite = requireClient(services, 'admin.write', answerUnauthorized)
  const kinds: readonly (readonly [Kind, Compile])[] = [
    ['policy', compilePolicy],
    ['reference-values', parseReferenceValues],
  ]
  for (const [kind, compile] of kinds) {
    app.get(`/v1/${kind}`, mayRead, (c) => showActive(c, services, kind))
    app.put(`/v1/${kind}`, mayWrite, (c) => activate(c, services, { kind, compile }))
  }
  return app
}

async function showActive(c: HttpContext, services: Services, kind: Kind): Promise<Response> {
  const active = await services.store.activeDocument(kind)
  if (active === null) throw new Error(`no ${kind} is active`)
  return c.json({
    hash: active.hash,
    author: active.author,
    reason: active.reason,
    created_at: active.createdAt,
    activated_at: active.activatedAt,
    activated_by: active.activatedBy,
    document: active.body,
  })
}

/** A document that does not compile never comes into force; its mistakes are told as they are. */
async function activate(
  c: HttpContext,
  services: Services,
  { kind, compile }: { readonly kind: Kind; readonly compile: Compile },
): Promise<Response> {
  const body = await readJson(c, MAX_DOCUMENT_BYTES)
  if (!body.ok) return answerProblem(c, body.failure.reason, body.failure.detail)
  const parsed = activation.safeParse(body.value)
  if (!parsed.success) {
    return answerProblem(c, 'request_malformed', z.prettifyError(parsed.error))
  }
  const { document, reason } = parsed.data
  const compiled = compile(document)
  if (!compiled.ok) {
    const { reason: mistake, ...where } = compiled.failure
    return answerProblem(c, 'document_refused', mistake, { mistake, ...where })
  }
  await services.store.activateDocument({
    kind,
    hash: compiled.value.hash,
    body: compiled.value.document,
    author: c.get('client').clientId,
    reason,
    now: services.clock(),
  })
  services.log.warn('document_activated', {
    request_id: c.get('requestId'),
    kind,
    hash: compiled.value.hash,
    by: c.get('client').clientId,
  })
  return showActive(c, services, kind)
}
