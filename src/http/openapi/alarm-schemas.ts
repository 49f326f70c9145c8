import { z } from 'zod'
import { ALARM_NAMES, SEVERITIES } from '../../alerts/alarms.ts'
import { EXPIRY_KINDS } from '../../operations/expiry/expiry.ts'
import { STREAM_STATUSES } from '../../signals/stream.ts'
import type { showAlarm, showWebhook } from '../../views/show-alarm.ts'
import { FORECAST_DAYS, type showExpiry, type showForecast } from '../../views/show-expiry.ts'
import { rotationBody, webhookBody } from '../admin/alarms.ts'
import { formOf } from './form-of.ts'

const time = z.iso.datetime()
const count = z.int().min(0)
const days = z.literal(FORECAST_DAYS)
const alarm = z.enum(ALARM_NAMES)
const told = { severity: z.enum(SEVERITIES), summary: z.string(), remedy: z.string() }

const expiry = formOf<ReturnType<typeof showExpiry>>()(
  z.object({
    kind: z.enum(EXPIRY_KINDS),
    id: z.string(),
    name: z.string(),
    source: z.string(),
    since: time.nullable(),
    at: time,
    has_ended: z.boolean(),
    breaks: z.string(),
    remedy: z.string(),
    renewal: z.enum(['manual', 'automatic']),
  }),
)

const forecast = formOf<NonNullable<ReturnType<typeof showForecast>>>()(
  z.object({
    at: time,
    devices: count,
    allowed: count,
    within: z.array(z.object({ days, devices: count, share: z.number() })),
    by_cause: z.array(
      z.object({
        cause: z.string(),
        first: time,
        within: z.array(z.object({ days, devices: count })),
        examples: z.array(z.string()),
      }),
    ),
  }),
)

/** Alarms, their destinations, and what ends. */
export const ALARM_SCHEMAS = {
  Expiry: z.object({ at: time, expiries: z.array(expiry), forecast: forecast.nullable() }),
  Alarms: z.object({
    alarms: z.array(
      formOf<ReturnType<typeof showAlarm>>()(
        z.object({
          alarm,
          subject: z.string(),
          ...told,
          level: z.string(),
          since: time,
          until: time.nullable(),
          detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
        }),
      ),
    ),
  }),
  AlarmNames: z.object({ alarms: z.array(z.object({ alarm, ...told })) }),
  Webhooks: z.object({
    webhooks: z.array(
      formOf<ReturnType<typeof showWebhook>>()(
        z.object({
          webhook_id: z.string(),
          host: z.string(),
          alarms: z.array(z.string()),
          description: z.string().nullable(),
          status: z.enum(STREAM_STATUSES),
          reason: z.string().nullable(),
          created_at: time,
          delivered_at: time.nullable(),
          failing_since: time.nullable(),
          failure: z.string().nullable(),
          waiting: count,
          refused: count,
        }),
      ),
    ),
  }),
  WebhookToCreate: webhookBody,
  WebhookRotation: rotationBody,
  WebhookSecret: z.object({ webhook_id: z.string(), secret: z.string() }),
  WebhookRotated: z.object({ webhook_id: z.string(), secret: z.string(), previous_until: time }),
  WebhookNamed: z.object({ webhook_id: z.string() }),
} as const satisfies Readonly<Record<string, z.ZodType>>
