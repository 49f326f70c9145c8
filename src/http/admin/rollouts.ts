import { Hono } from 'hono'
import { z } from 'zod'
import { planBody, toPlanRequest } from '../../operations/release/plan-request.ts'
import { release } from '../../operations/release/release.ts'
import { ROLLOUT_VERBS, steerRollout } from '../../operations/release/steer.ts'
import type { Rollout } from '../../rollout/rollout.ts'
import { showObserved, showRollout } from '../../views/show-control.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem } from '../errors/problem.ts'
import { answerFailure } from './answer-failure.ts'
import {
  acceptedMembers,
  readAccepted,
  readBody,
  readDocumentBody,
  readPage,
  reasonText,
  rolloutName,
} from './read-body.ts'
import { documentMembers, readDocument } from './read-document.ts'
import { secondOf } from './second-administrator.ts'
import type { AdminServices } from './services.ts'

/** A document to roll out, and how. */
export const startBody = z.strictObject({
  ...documentMembers,
  reason: reasonText,
  plan: planBody.default({}),
  accept_denials: z.int().min(0).default(0),
  /** Only if this document is in force. */
  expected: z.string().max(64).optional(),
  despite: rolloutName.optional(),
})

/** A step of a rollout. */
export const steerBody = z.strictObject({
  reason: reasonText,
  /** Of the rollout as it was seen. */
  revision: z.int().min(1).optional(),
})

/** The end of a rollout can take access from devices, and says how many. */
export const revertBody = steerBody.extend(acceptedMembers)
type SteerBody = z.infer<typeof steerBody> & Partial<z.infer<typeof revertBody>>

/** Changes of documents that reach the fleet ring by ring: how they stand, and steering them. */
export function adminRolloutRoutes(services: AdminServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const { store, clock } = services

  app.get('/v1/rollouts', async (c) => {
    const page = await readPage(c, store.listRollouts, ({ createdAt, rolloutId }) => {
      return { at: createdAt, id: rolloutId }
    })
    if (!page.ok) return answerFailure(c, page.failure)
    const { rows, next_before } = page.value
    return c.json({ rollouts: rows.map((one) => showRollout(one, clock())), next_before })
  })

  app.get('/v1/rollouts/:id', async (c) => {
    const rollout = await store.rollout(c.req.param('id'))
    if (rollout === null) return answerProblem(c, 'rollout_not_found')
    const seen = await store.rolloutObservations(rollout.rolloutId, rollout.revision)
    return c.json({ ...showRollout(rollout, clock()), observed: showObserved(seen) })
  })

  app.post('/v1/rollouts', (c) => start(c, services))
  for (const verb of ROLLOUT_VERBS) {
    app.post(`/v1/rollouts/:id/${verb}`, (c) => steerOne(c, services, verb))
  }
  return app
}

async function start(c: HttpContext, services: AdminServices): Promise<Response> {
  const read = await readDocumentBody(c, startBody)
  if (!read.ok) return answerFailure(c, read.failure)
  const { reason, plan, accept_denials: acceptedDenials, expected, despite } = read.value.body
  const document = await readDocument(services.store, read.value, services.clock())
  if (!document.ok) return answerFailure(c, document.failure)
  const by = c.get('client').clientId
  const started = await release(services.releases, {
    ...{ document: document.value, by, reason, expected, acceptedDenials, despite },
    maxAgeMs: services.previewMaxAgeMs,
    way: { kind: 'rollout', plan: toPlanRequest(plan) },
    second: secondOf(c, services, read.value.body),
    signal: c.req.raw.signal,
  })
  if (!started.ok) return answerFailure(c, started.failure)
  const { rollout } = started.value
  if (rollout === undefined) throw new TypeError('a release by a plan is a rollout')
  return answerStarted(c, services, rollout)
}

/** 201: the rollout that a release began with. */
export function answerStarted(c: HttpContext, services: AdminServices, rollout: Rollout): Response {
  const { rolloutId: rollout_id, kind, to: hash, author: by } = rollout
  const request_id = c.get('requestId')
  services.log.warn('rollout_started', { request_id, rollout_id, kind, hash, by })
  c.header('location', `/v1/rollouts/${rollout_id}`)
  return c.json(showRollout(rollout, services.clock()), 201)
}

async function steerOne(
  c: HttpContext,
  services: AdminServices,
  verb: (typeof ROLLOUT_VERBS)[number],
): Promise<Response> {
  const schema: z.ZodType<SteerBody> = verb === 'revert' ? revertBody : steerBody
  const body = await readBody(c, schema)
  if (!body.ok) return answerFailure(c, body.failure)
  const by = c.get('client').clientId
  const rolloutId = c.req.param('id') ?? ''
  const { reason, revision } = body.value
  const steered = await steerRollout(services.releases, {
    ...{ rolloutId, verb, by, reason, revision, maxAgeMs: services.previewMaxAgeMs },
    acceptedDenials: readAccepted(body.value),
    second: secondOf(c, services, body.value),
    signal: c.req.raw.signal,
  })
  if (!steered.ok) return answerFailure(c, steered.failure)
  const { rollout, changed } = steered.value
  if (changed) {
    const request_id = c.get('requestId')
    services.log.warn('rollout_steered', { request_id, rollout_id: rolloutId, verb, by })
  }
  return c.json({ ...showRollout(rollout, services.clock()), changed })
}
