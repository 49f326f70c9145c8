import {
  type AlarmEvent,
  describeAlarmEvent,
  readAlarmEvent,
  secretsAt,
  signWebhook,
  type WebhookSecrets,
} from '../../alerts/webhook.ts'
import { type Post, readRetryAfter } from '../../base/post.ts'
import { MAX_RETRY_AFTER_MS } from '../../signals/limits.ts'
import type { PushOutcome } from '../../signals/push-answer.ts'
import type { DueDelivery } from '../../store/signals/due-deliveries.ts'

export type WebhookDelivery = {
  readonly post: Post
  /** `undefined` where the secrets of a destination are not opened by any key of ours. */
  readonly openSecrets: (sealed: string, streamId: string) => WebhookSecrets | undefined
  readonly issuer: string
  readonly clock: () => Date
}

/**
 * About this message and not about the destination: the same one is not sent again by itself, or it would hold up all
 * that follow it. 410 is how a receiver says that it wants no more (Standard Webhooks, "Disabling endpoints").
 */
const ABOUT_MESSAGE: ReadonlySet<number> = new Set([400, 410, 413, 422])

/**
 * Posts what an alarm became to a destination, signed by Standard Webhooks: its id is that of the event, the same
 * with each try. What is not an alarm goes to no destination of alarms.
 */
export async function deliverWebhook(
  { post, openSecrets, issuer, clock }: WebhookDelivery,
  target: { readonly url: string; readonly sealedSecrets: string },
  due: Pick<DueDelivery, 'eventId' | 'streamId' | 'type' | 'payload' | 'createdAt'>,
): Promise<PushOutcome> {
  const event = due.type === 'test' ? testOf(due) : readAlarm(due)
  if (event === 'none') return { kind: 'delivered' }
  if (event === undefined) return { kind: 'later', cause: 'not known here' }
  const secrets = openSecrets(target.sealedSecrets, due.streamId)
  if (secrets === undefined) return { kind: 'later', cause: 'its secrets are not opened' }
  const at = clock()
  const body = JSON.stringify(describeAlarmEvent(event, { issuer }))
  const signature = signWebhook({ id: due.eventId, at, body, secrets: secretsAt(secrets, at) })
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'countersign',
    ...signature,
  }
  const answer = await post({ url: target.url, headers }, body)
  if (answer.kind === 'later') return answer
  const { status } = answer
  if (status >= 200 && status < 300) return { kind: 'delivered' }
  if (ABOUT_MESSAGE.has(status)) return { kind: 'refused', error: String(status), description: '' }
  const seconds = readRetryAfter(answer.retryAfter)
  const retryAfterMs =
    seconds === undefined ? undefined : Math.min(seconds * 1000, MAX_RETRY_AFTER_MS)
  return { kind: 'later', cause: String(status), retryAfterMs }
}

function readAlarm({ type, payload }: Pick<DueDelivery, 'type' | 'payload'>) {
  return type === 'alarm' ? readAlarmEvent(payload) : 'none'
}

function testOf({ createdAt }: Pick<DueDelivery, 'createdAt'>): AlarmEvent {
  const at = createdAt.toISOString()
  return { name: 'test', subject: '', state: 'raised', level: '', since: at, at, detail: {} }
}
