import { Hono } from 'hono'
import { z } from 'zod'
import { ALARM_NAMES, ALARMS } from '../../alerts/alarms.ts'
import {
  createWebhook,
  MAX_WEBHOOK_OVERLAP_MS,
  rotateWebhook,
} from '../../operations/alerts/manage-webhooks.ts'
import { listWebhooks, removeWebhook, testWebhook } from '../../operations/alerts/steer-webhook.ts'
import { MAX_STREAM_TEXT_CHARS } from '../../signals/limits.ts'
import { isPushUrl } from '../../signals/stream-request.ts'
import { showAlarm, showWebhook } from '../../views/show-alarm.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerFailure } from './answer-failure.ts'
import { readBody } from './read-body.ts'
import type { AdminServices } from './services.ts'

export const webhookBody = z.strictObject({
  url: z
    .string()
    .max(MAX_STREAM_TEXT_CHARS)
    .refine(isPushUrl, 'must be an https URL without a name, a password or a fragment'),
  /** Those that it hears of; all of them where none is named. */
  alarms: z
    .array(z.enum(ALARM_NAMES, `must be one of ${ALARM_NAMES.join(', ')}`))
    .max(ALARM_NAMES.length)
    .default([]),
  description: z.string().trim().min(1).max(MAX_STREAM_TEXT_CHARS).nullable().default(null),
})

export const rotationBody = z.strictObject({
  /** How long the secret before signs too. */
  overlap_seconds: z
    .int()
    .min(0)
    .max(MAX_WEBHOOK_OVERLAP_MS / 1000)
    .default(86_400),
})

/** Those whose answer holds a secret. */
export const SECRET_ROUTES: ReadonlySet<string> = new Set([
  'POST /v1/webhooks',
  'POST /v1/webhooks/:id/rotate',
])

/** What is wrong now, and the destinations that are told. A secret is in the answer that made it, and in no other. */
export function adminAlarmRoutes(services: AdminServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const { store } = services

  app.get('/v1/alarms', async (c) => {
    const alarms = await store.standingAlarms()
    return c.json({ alarms: alarms.map(showAlarm) })
  })
  app.get('/v1/alarms/names', (c) => {
    const names = ALARM_NAMES.map((alarm) => ({ alarm, ...ALARMS[alarm] }))
    return c.json({ alarms: names })
  })
  app.get('/v1/webhooks', async (c) => {
    const webhooks = await listWebhooks(store)
    return c.json({ webhooks: webhooks.map(showWebhook) })
  })
  app.post('/v1/webhooks', (c) => create(c, services))
  app.post('/v1/webhooks/:id/rotate', (c) => rotate(c, services))
  app.post('/v1/webhooks/:id/test', async (c) => {
    const tested = await testWebhook(services, idOf(c))
    return tested.ok ? c.json({ webhook_id: idOf(c) }) : answerFailure(c, tested.failure)
  })
  app.delete('/v1/webhooks/:id', async (c) => {
    const by = c.get('client').clientId
    const removed = await removeWebhook(services, { streamId: idOf(c), by })
    return removed.ok ? c.json({ webhook_id: idOf(c) }) : answerFailure(c, removed.failure)
  })
  return app
}

function idOf(c: HttpContext): string {
  return c.req.param('id') ?? ''
}

async function create(c: HttpContext, { webhooks }: AdminServices): Promise<Response> {
  const body = await readBody(c, webhookBody)
  if (!body.ok) return answerFailure(c, body.failure)
  const by = c.get('client').clientId
  const created = await createWebhook(webhooks, { ...body.value, by })
  if (!created.ok) return answerFailure(c, created.failure)
  const { streamId: webhook_id, secret } = created.value
  c.header('cache-control', 'no-store')
  return c.json({ webhook_id, secret }, 201)
}

async function rotate(c: HttpContext, { webhooks }: AdminServices): Promise<Response> {
  const body = await readBody(c, rotationBody)
  if (!body.ok) return answerFailure(c, body.failure)
  const rotated = await rotateWebhook(webhooks, {
    ...{ streamId: idOf(c), by: c.get('client').clientId },
    overlapMs: body.value.overlap_seconds * 1000,
  })
  if (!rotated.ok) return answerFailure(c, rotated.failure)
  const { streamId: webhook_id, secret, previousUntil: previous_until } = rotated.value
  c.header('cache-control', 'no-store')
  return c.json({ webhook_id, secret, previous_until })
}
