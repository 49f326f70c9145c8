import { Hono } from 'hono'
import { z } from 'zod'
import type { Services } from '../../compose/services.ts'
import { bodyOf } from '../../operations/release/check-document.ts'
import { isLargeFleet } from '../../operations/release/gates.ts'
import { releaseAtOnce } from '../../operations/release/release.ts'
import { documentNeedsSecond } from '../../operations/release/second-administrator.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerUnauthorized } from '../errors/problem.ts'
import { requireClient } from '../middleware/api-client.ts'
import { compileDocument, demandLint } from './document-of-body.ts'
import { MAX_DOCUMENT_BYTES, readBody, reasonText } from './read-body.ts'
import { answerReleaseFailure } from './release-problem.ts'
import { awaitSecond, demandsSecond } from './second-administrator.ts'

const activation = z.strictObject({
  reason: reasonText,
  document: z.record(z.string(), z.unknown()),
  accept_denials: z.int().min(0).default(0),
  /** Hash of the document that this one is to follow: nothing happens if another is in force. */
  expected: z.string().max(64).optional(),
})

/** The documents in force: what they are, and putting another in their place. */
export function adminDocumentRoutes(services: Services): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const mayRead = requireClient(services, 'admin.read', answerUnauthorized)
  const mayWrite = requireClient(services, 'admin.write', answerUnauthorized)
  const kinds: readonly DocumentKind[] = ['policy', 'reference-values']
  for (const kind of kinds) {
    app.get(`/v1/${kind}`, mayRead, (c) => showActive(c, services, kind))
    app.put(`/v1/${kind}`, mayWrite, (c) => activate(c, services, kind))
  }
  return app
}

async function showActive(
  c: HttpContext,
  services: Services,
  kind: DocumentKind,
): Promise<Response> {
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

/**
 * Puts a document in force for all devices at once. A large fleet has gates before that: lint, and
 * a preview of which nobody lost access but as many as were accepted.
 */
async function activate(c: HttpContext, services: Services, kind: DocumentKind): Promise<Response> {
  const body = await readBody(c, activation, MAX_DOCUMENT_BYTES)
  if (!body.ok) return body.failure.answer
  const compiled = compileDocument(c, kind, body.value.document)
  if (!compiled.ok) return compiled.failure.answer
  const active = await services.store.activeDocument(kind)
  const isDangerous =
    body.value.accept_denials > 0 || documentNeedsSecond(active, compiled.value.hash)
  if (isDangerous) {
    const waits = await awaitSecond(c, services, { body: body.value, seen: active?.hash })
    if (waits !== undefined) return waits
  }
  const release = {
    kind,
    checked: compiled.value,
    author: c.get('client').clientId,
    reason: body.value.reason,
    // What two agreed on, or one may do alone, depends on what is in force.
    expected: body.value.expected ?? (demandsSecond(services) ? active?.hash : undefined),
    acceptedDenials: body.value.accept_denials,
    maxAgeMs: services.config.previewMaxAgeSeconds * 1000,
    now: services.clock(),
  }
  const refused = (await isLargeFleet(services.store))
    ? await activateGated(c, services, release)
    : await activateDirectly(c, services, release)
  if (refused !== undefined) return refused
  services.log.warn('document_activated', {
    request_id: c.get('requestId'),
    kind,
    hash: compiled.value.hash,
    by: release.author,
  })
  return showActive(c, services, kind)
}

type Release = Parameters<typeof releaseAtOnce>[1]

async function activateGated(
  c: HttpContext,
  services: Services,
  release: Release,
): Promise<Response | undefined> {
  const { kind, checked: document, now } = release
  const linted = demandLint(c, kind, { document, now })
  if (!linted.ok) return linted.failure.answer
  const released = await releaseAtOnce(services.store, release)
  // What is in force already is what was asked for.
  if (released.ok || released.failure.reason === 'document_in_force') return undefined
  return answerReleaseFailure(c, released.failure)
}

async function activateDirectly(
  c: HttpContext,
  { store }: Services,
  { kind, checked, expected, author, reason, now }: Release,
): Promise<Response | undefined> {
  const { hash } = checked
  const names = { author, reason, now, ...(expected !== undefined && { expected }) }
  const answer = await store.activateDocument({ kind, hash, body: bodyOf(checked), ...names })
  return answer === 'superseded' ? answerReleaseFailure(c, { reason: answer }) : undefined
}
