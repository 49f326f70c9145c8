import { readWebhookSecrets, type WebhookSecrets, writeWebhookSecrets } from '../alerts/webhook.ts'
import type { MasterSecrets } from './master-secret.ts'
import { openText, resealText, sealText } from './sealed-text.ts'
import { derivePurposeKeys, type PurposeKeys } from './sealing.ts'

/** What the secrets of destinations of alarms are kept sealed with. */
export function webhookKeys(secrets: MasterSecrets): PurposeKeys {
  return derivePurposeKeys(secrets, 'secrets of webhooks')
}

/** Base64 of the sealed secrets of one destination; moved to another they do not open. */
export function sealWebhookSecrets(
  keys: PurposeKeys,
  secrets: WebhookSecrets,
  streamId: string,
): string {
  return sealText(keys, writeWebhookSecrets(secrets), contextOf(streamId))
}

/** `undefined` where none of the keys has sealed them, or not for this destination. */
export function openWebhookSecrets(
  keys: PurposeKeys,
  sealed: string,
  streamId: string,
): WebhookSecrets | undefined {
  const text = openText(keys, sealed, contextOf(streamId))
  return text === undefined ? undefined : readWebhookSecrets(text)
}

/** Of secrets that another key than the first has sealed, the same sealed with the first; else `undefined`. */
export function resealWebhookSecrets(
  keys: PurposeKeys,
  sealed: string,
  streamId: string,
): string | undefined {
  return resealText(keys, sealed, contextOf(streamId))
}

function contextOf(streamId: string): string {
  return `secrets of ${streamId}`
}
