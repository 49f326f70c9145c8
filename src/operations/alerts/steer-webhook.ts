import { WEBHOOK } from '../../alerts/webhook.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { StoredStream } from '../../store/signals/streams.ts'
import type { Store } from '../../store/store.ts'
import type { WebhookFailure } from './manage-webhooks.ts'

/** A destination of alarms, and how deliveries to it go. */
export type Webhook = {
  readonly stream: StoredStream
  readonly url: string
  readonly waiting: number
  readonly refused: number
}

/** All of them, the oldest first. */
export async function listWebhooks(
  store: Pick<Store, 'listStreams' | 'countDeliveries'>,
): Promise<readonly Webhook[]> {
  const found: Webhook[] = []
  for (const stream of await store.listStreams()) {
    const { delivery, streamId } = stream
    if (delivery.method !== WEBHOOK) continue
    found.push({ stream, url: delivery.url, ...(await store.countDeliveries(streamId)) })
  }
  return found
}

/** Has a test posted to a destination: it goes the way of all alarms. */
export async function testWebhook(
  {
    store,
    clock,
  }: {
    readonly store: Pick<Store, 'listStreams' | 'announceToStream'>
    readonly clock: () => Date
  },
  streamId: string,
): Promise<Result<void, WebhookFailure>> {
  if (!(await isWebhook(store, streamId))) return err({ reason: 'webhook_not_found' })
  const event = { type: 'test', payload: {}, intervalMs: 0, now: clock() } as const
  const answer = await store.announceToStream({ streamId, clientId: null, ...event })
  return answer === 'applied' ? ok(undefined) : err({ reason: 'webhook_not_found' })
}

/** Ends a destination, with all that waits for it. */
export async function removeWebhook(
  {
    store,
    clock,
  }: {
    readonly store: Pick<Store, 'listStreams' | 'removeStream'>
    readonly clock: () => Date
  },
  { streamId, by }: { readonly streamId: string; readonly by: string },
): Promise<Result<void, WebhookFailure>> {
  if (!(await isWebhook(store, streamId))) return err({ reason: 'webhook_not_found' })
  const answer = await store.removeStream({ streamId, clientId: null, by, now: clock() })
  return answer === 'applied' ? ok(undefined) : err({ reason: 'webhook_not_found' })
}

async function isWebhook(store: Pick<Store, 'listStreams'>, streamId: string): Promise<boolean> {
  const streams = await store.listStreams()
  return streams.some((one) => one.streamId === streamId && one.delivery.method === WEBHOOK)
}
