import type { AlarmName } from '../../alerts/alarms.ts'
import {
  describeSecret,
  WEBHOOK,
  WEBHOOK_SECRET_BYTES,
  type WebhookSecrets,
} from '../../alerts/webhook.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'

/** Each change of an alarm is delivered to every one of them. */
const MOST_WEBHOOKS = 16
/** Longer, and two secrets would be how it is and not how it changes. */
export const MAX_WEBHOOK_OVERLAP_MS = 30 * 86_400_000

export const WEBHOOK_REASONS = [
  'webhook_not_found',
  'webhooks_too_many',
  /** Somebody else changed it meanwhile. */
  'webhook_changed_meanwhile',
] as const

export type WebhookFailure = { readonly reason: (typeof WEBHOOK_REASONS)[number] }

export type WebhookDependencies = {
  readonly store: Pick<Store, 'createWebhook' | 'setWebhookSecrets' | 'listStreams'>
  readonly webhookSecrets: {
    readonly seal: (secrets: WebhookSecrets, streamId: string) => string
    readonly open: (sealed: string, streamId: string) => WebhookSecrets | undefined
  }
  readonly newStreamId: () => string
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
  readonly clock: () => Date
}

export type CreatedWebhook = {
  /** `str_…` */
  readonly streamId: string
  /** `whsec_…`, shown once: it is kept sealed. */
  readonly secret: string
}

/** Makes a destination of alarms; `url` is an https URL, which whoever posts holds against public addresses. */
export async function createWebhook(
  dependencies: WebhookDependencies,
  webhook: {
    readonly url: string
    /** Those that it hears of; all of them where none is named. */
    readonly alarms: readonly AlarmName[]
    readonly description: string | null
    readonly by: string
  },
): Promise<Result<CreatedWebhook, WebhookFailure>> {
  const { store, webhookSecrets, newStreamId, random, clock } = dependencies
  const streamId = newStreamId()
  const secret = describeSecret(random(WEBHOOK_SECRET_BYTES))
  const sealedSecrets = webhookSecrets.seal({ current: secret, previous: null }, streamId)
  const created = { ...webhook, streamId, sealedSecrets, most: MOST_WEBHOOKS, now: clock() }
  const answer = await store.createWebhook(created)
  return answer === 'applied' ? ok({ streamId, secret }) : err({ reason: 'webhooks_too_many' })
}

export type RotatedWebhook = CreatedWebhook & {
  /** Until when the secret before signs too. */
  readonly previousUntil: Date
}

/**
 * Has another secret sign for a destination. For `overlapMs` more, at most `MAX_WEBHOOK_OVERLAP_MS`, the one before
 * signs too, so that whoever verifies can be told the new one meanwhile; any before that ends. 0 ends it at once.
 */
export async function rotateWebhook(
  { store, webhookSecrets, random, clock }: Omit<WebhookDependencies, 'newStreamId'>,
  change: { readonly streamId: string; readonly overlapMs: number; readonly by: string },
): Promise<Result<RotatedWebhook, WebhookFailure>> {
  const { streamId, overlapMs, by } = change
  if (overlapMs > MAX_WEBHOOK_OVERLAP_MS) throw new TypeError('an overlap is 30 days at most')
  const stream = (await store.listStreams()).find((one) => one.streamId === streamId)
  if (stream?.delivery.method !== WEBHOOK) return err({ reason: 'webhook_not_found' })
  const now = clock()
  const before = webhookSecrets.open(stream.delivery.sealedSecrets, streamId)
  const secret = describeSecret(random(WEBHOOK_SECRET_BYTES))
  const previousUntil = new Date(now.getTime() + overlapMs)
  const previous =
    before === undefined || overlapMs === 0
      ? null
      : { secret: before.current, until: previousUntil }
  const sealedSecrets = webhookSecrets.seal({ current: secret, previous }, streamId)
  const { revision } = stream
  const set = { streamId, revision, sealedSecrets, isRotation: true, by, now }
  const answer = await store.setWebhookSecrets(set)
  switch (answer) {
    case 'applied':
      return ok({ streamId, secret, previousUntil })
    case 'superseded':
      return err({ reason: 'webhook_changed_meanwhile' })
    case 'stream_unknown':
      return err({ reason: 'webhook_not_found' })
  }
}
