import { Hono } from 'hono'
import { z } from 'zod'
import { err, ok, type Result } from '../../base/result.ts'
import { release } from '../../operations/release/release.ts'
import { rollBack } from '../../operations/release/roll-back.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import { showHalt } from '../../views/show-control.ts'
import { isTagNamed, tagOf } from '../entity-tag.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerFailure } from './answer-failure.ts'
import {
  acceptedMembers,
  readAccepted,
  readBody,
  readDocumentBody,
  reasonText,
  rolloutName,
} from './read-body.ts'
import { lintCarried } from './read-document.ts'
import { answerStarted } from './rollouts.ts'
import { secondOf } from './second-administrator.ts'
import type { AdminServices } from './services.ts'

/** A document to bring into force. */
export const releaseBody = z.strictObject({
  reason: reasonText,
  document: z.record(z.string(), z.unknown()),
  accept_denials: z.int().min(0).default(0),
  /** Hash of the document that this one is to follow: nothing happens if another is in force. */
  expected: z.string().max(64).optional(),
  /** No rollout, however large the fleet is. */
  at_once: z.boolean().default(false),
  despite: rolloutName.optional(),
})

/** The way back to the version before. */
export const rollBackBody = z.strictObject({
  reason: reasonText,
  ...acceptedMembers,
  /** Hash of the document that is to go: nothing happens if another is in force. */
  expected: z.string().max(64).optional(),
})

/** The documents in force: what they are, and putting another in their place. */
export function adminDocumentRoutes(services: AdminServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const kinds: readonly DocumentKind[] = ['policy', 'reference-values']
  for (const kind of kinds) {
    app.get(`/v1/${kind}`, (c) => showActive(c, services, kind))
    app.put(`/v1/${kind}`, (c) => replace(c, services, kind))
    app.post(`/v1/${kind}/rollback`, (c) => goBack(c, services, kind))
  }
  return app
}

/** The document in force, as it is answered; its tag is that of RFC 9110 §8.8.3. */
async function showActive(
  c: HttpContext,
  services: AdminServices,
  kind: DocumentKind,
): Promise<Response> {
  const { answer, tag } = await readActive(services, kind)
  c.header('etag', tag)
  const known = c.req.method === 'GET' ? c.req.header('if-none-match') : undefined
  if (known !== undefined && isTagNamed(known, tag, 'weak')) return c.body(null, 304)
  return c.json(answer)
}

async function readActive({ store }: AdminServices, kind: DocumentKind) {
  const active = await store.activeDocument(kind)
  if (active === null) throw new Error(`no ${kind} is active`)
  const [halted] = await store.haltedRollouts(kind, active.hash)
  const answer = {
    hash: active.hash,
    author: active.author,
    reason: active.reason,
    created_at: active.createdAt,
    activated_at: active.activatedAt,
    activated_by: active.activatedBy,
    previous: active.previous,
    halted: showHalt(halted),
    document: active.body,
  }
  return { answer, tag: tagOf(answer) }
}

/**
 * The hash that a change has to follow, by the header `If-Match` (RFC 9110 §13.1.1): that of the document in force,
 * where the header names its tag. Then it goes on as if it were `expected`, so that nobody comes between.
 */
async function readPrecondition(
  c: HttpContext,
  services: AdminServices,
  kind: DocumentKind,
): Promise<Result<string | undefined, { readonly reason: 'precondition_failed' }>> {
  const named = c.req.header('if-match')
  if (named === undefined) return ok(undefined)
  const { answer, tag } = await readActive(services, kind)
  if (isTagNamed(named, tag, 'strong')) return ok(answer.hash)
  c.header('etag', tag)
  return err({ reason: 'precondition_failed' })
}

/** Releases a document: at once in a small fleet, and in a large one ring by ring, unless said. */
async function replace(
  c: HttpContext,
  services: AdminServices,
  kind: DocumentKind,
): Promise<Response> {
  const read = await readDocumentBody(c, releaseBody)
  if (!read.ok) return answerFailure(c, read.failure)
  const { reason, accept_denials: acceptedDenials, at_once, despite } = read.value.body
  const matched = await readPrecondition(c, services, kind)
  if (!matched.ok) return answerFailure(c, matched.failure)
  const { expected = matched.value } = read.value.body
  const by = c.get('client').clientId
  const document = lintCarried(read.value, kind, services.clock())
  const released = await release(services.releases, {
    ...{ document, by, reason, expected, acceptedDenials, maxAgeMs: services.previewMaxAgeMs },
    way: { kind: at_once ? 'at_once' : 'by_size' },
    despite,
    second: secondOf(c, services, read.value.body),
    signal: c.req.raw.signal,
  })
  // What is in force already is what was asked for.
  if (!released.ok) {
    const isDone = released.failure.reason === 'document_in_force'
    return isDone ? showActive(c, services, kind) : answerFailure(c, released.failure)
  }
  const { rollout } = released.value
  if (rollout !== undefined) return answerStarted(c, services, rollout)
  const request_id = c.get('requestId')
  const hash = document.checked?.compiled.hash
  services.log.warn('document_activated', { request_id, kind, hash, by })
  return showActive(c, services, kind)
}

/** Ends the rollout that is open, or brings the version before back into force at once. */
async function goBack(
  c: HttpContext,
  services: AdminServices,
  kind: DocumentKind,
): Promise<Response> {
  const body = await readBody(c, rollBackBody)
  if (!body.ok) return answerFailure(c, body.failure)
  const { reason, expected } = body.value
  const by = c.get('client').clientId
  const acceptedDenials = readAccepted(body.value)
  const returned = await rollBack(services.releases, {
    ...{ kind, by, reason, expected, acceptedDenials, maxAgeMs: services.previewMaxAgeMs },
    second: secondOf(c, services, body.value),
    signal: c.req.raw.signal,
  })
  if (!returned.ok) return answerFailure(c, returned.failure)
  const { hash, rollout, newlyDenied: newly_denied } = returned.value
  const rollout_id = rollout?.rolloutId ?? null
  services.log.warn('rolled_back', {
    ...{ request_id: c.get('requestId'), kind, hash, by },
    ...(rollout_id !== null && { rollout_id }),
  })
  return c.json({ kind, hash, rollout_id, newly_denied })
}
