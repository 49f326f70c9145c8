import { Hono } from 'hono'
import { z } from 'zod'
import type { Services } from '../../compose/services.ts'
import { planBody, toPlanRequest } from '../../operations/release/plan-request.ts'
import { startRelease } from '../../operations/release/release.ts'
import { documentNeedsSecond } from '../../operations/release/second-administrator.ts'
import { ROLLOUT_VERBS, type SteerFailure, steer } from '../../operations/release/steer.ts'
import { showObserved, showRollout } from '../../views/show-control.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem, answerUnauthorized } from '../errors/problem.ts'
import { requireClient } from '../middleware/api-client.ts'
import { demandLint, documentMembers, readDocument } from './document-of-body.ts'
import { MAX_DOCUMENT_BYTES, readBody, readLimit, reasonText } from './read-body.ts'
import { answerReleaseFailure } from './release-problem.ts'
import { awaitSecond, demandsSecond } from './second-administrator.ts'

const startBody = z.strictObject({
  ...documentMembers,
  reason: reasonText,
  plan: planBody.default({}),
  accept_denials: z.int().min(0).default(0),
  /** Only if this document is in force. */
  expected: z.string().max(64).optional(),
})

const steerBody = z.strictObject({
  reason: reasonText,
  /** Of the rollout as it was seen. */
  revision: z.int().min(1).optional(),
})

/** Changes of documents that reach the fleet ring by ring: how they stand, and steering them. */
export function adminRolloutRoutes(services: Services): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const mayRead = requireClient(services, 'admin.read', answerUnauthorized)
  const mayWrite = requireClient(services, 'admin.write', answerUnauthorized)
  const { store, clock } = services

  app.get('/v1/rollouts', mayRead, async (c) => {
    const limit = readLimit(c)
    if (!limit.ok) return limit.failure.answer
    const rollouts = await store.listRollouts(limit.value)
    return c.json({ rollouts: rollouts.map((one) => showRollout(one, clock())) })
  })

  app.get('/v1/rollouts/:id', mayRead, async (c) => {
    const rollout = await store.rollout(c.req.param('id'))
    if (rollout === null) return answerProblem(c, 'rollout_not_found')
    const seen = await store.rolloutObservations(rollout.rolloutId, rollout.revision)
    return c.json({ ...showRollout(rollout, clock()), observed: showObserved(seen) })
  })

  app.post('/v1/rollouts', mayWrite, (c) => start(c, services))
  for (const verb of ROLLOUT_VERBS) {
    app.post(`/v1/rollouts/:id/${verb}`, mayWrite, (c) => steerOne(c, services, verb))
  }
  return app
}

async function start(c: HttpContext, services: Services): Promise<Response> {
  const body = await readBody(c, startBody, MAX_DOCUMENT_BYTES)
  if (!body.ok) return body.failure.answer
  const { kind, reason, plan, accept_denials: acceptedDenials, expected } = body.value
  const document = await readDocument(c, services, body.value)
  if (!document.ok) return document.failure.answer
  const now = services.clock()
  const checked = demandLint(c, kind, { document: document.value, now })
  if (!checked.ok) return checked.failure.answer
  // A budget of one's own can be as much as there are devices: it says what may be lost too.
  const active = await services.store.activeDocument(kind)
  const isDangerous =
    acceptedDenials > 0 ||
    plan.budget !== undefined ||
    documentNeedsSecond(active, checked.value.hash)
  const dangerous = { body: body.value, seen: active?.hash }
  const waits = isDangerous ? await awaitSecond(c, services, dangerous) : undefined
  if (waits !== undefined) return waits
  const author = c.get('client').clientId
  const started = await startRelease(services.store, {
    kind,
    checked: checked.value,
    author,
    reason,
    expected: expected ?? (demandsSecond(services) ? active?.hash : undefined),
    acceptedDenials,
    maxAgeMs: services.config.previewMaxAgeSeconds * 1000,
    plan: toPlanRequest(plan),
    random: services.random,
    now,
  })
  if (!started.ok) return answerReleaseFailure(c, started.failure)
  const { rollout } = started.value
  const { rolloutId: rollout_id, to: hash } = rollout
  const request_id = c.get('requestId')
  services.log.warn('rollout_started', { request_id, rollout_id, kind, hash, by: author })
  c.header('location', `/v1/rollouts/${rollout_id}`)
  return c.json(showRollout(rollout, now), 201)
}

async function steerOne(
  c: HttpContext,
  services: Services,
  verb: (typeof ROLLOUT_VERBS)[number],
): Promise<Response> {
  const body = await readBody(c, steerBody)
  if (!body.ok) return body.failure.answer
  const by = c.get('client').clientId
  const now = services.clock()
  const rolloutId = c.req.param('id') ?? ''
  if (verb === 'promote') {
    const seen = (await services.store.rollout(rolloutId))?.revision
    const waits = await awaitSecond(c, services, { body: body.value, seen })
    if (waits !== undefined) return waits
  }
  const rulesInForce = await steer(services.store, { ...body.value, rolloutId, verb, by, now })
  if (!rulesInForce.ok) return answerSteerFailure(c, rulesInForce.failure)
  const { rollout, changed } = rulesInForce.value
  if (changed) {
    const request_id = c.get('requestId')
    services.log.warn('rollout_steered', { request_id, rollout_id: rolloutId, verb, by })
  }
  return c.json({ ...showRollout(rollout, now), changed })
}

function answerSteerFailure(c: HttpContext, failure: SteerFailure): Response {
  switch (failure.reason) {
    case 'rollout_state_refused':
      return answerProblem(c, failure.reason, `the rollout is ${failure.state}`, {
        state: failure.state,
      })
    case 'superseded':
      return answerProblem(
        c,
        failure.reason,
        'the rollout took a step meanwhile, or another document came into force: look at it and decide anew',
      )
    default:
      return answerProblem(c, failure.reason)
  }
}
