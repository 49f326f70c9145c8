import { ALARMS, type AlarmText, type StandingAlarm } from '../alerts/alarms.ts'
import type { Webhook } from '../operations/alerts/steer-webhook.ts'

/** An alarm that stands, as the administration API and the JSON of the command line show it. */
export function showAlarm({ name, subject, level, since, until, detail }: StandingAlarm) {
  const { severity, summary, remedy }: AlarmText = ALARMS[name]
  return { alarm: name, subject, severity, level, since, until, summary, remedy, detail }
}

/** A destination, without its secrets: of its URL the host alone, as a path may be a secret of its receiver. */
export function showWebhook({ stream, url, waiting, refused }: Webhook) {
  const { failing } = stream
  return {
    webhook_id: stream.streamId,
    host: new URL(url).host,
    alarms: stream.eventsRequested,
    description: stream.description,
    status: stream.status,
    reason: stream.reason,
    created_at: stream.createdAt,
    delivered_at: stream.deliveredAt,
    failing_since: failing?.since ?? null,
    failure: failing?.failure ?? null,
    waiting,
    refused,
  }
}
