import { WEBHOOK } from '../../alerts/webhook.ts'
import { PUSH } from '../../signals/stream.ts'
import { SERVICE } from '../../store/schema/system-schema.ts'
import type { Store } from '../../store/store.ts'

export type ResealDependencies = {
  readonly store: Pick<Store, 'listStreams' | 'changeStream' | 'setWebhookSecrets'>
  /** Of a header that another secret has sealed, the same sealed with the secret of now; else `undefined`. */
  readonly resealHeader: (sealed: string, streamId: string) => string | undefined
  /** The same for the secrets of a destination of alarms. */
  readonly resealSecrets: (sealed: string, streamId: string) => string | undefined
  readonly clock: () => Date
}

/**
 * Seals the headers of streams, and the secrets of destinations of alarms, anew that the previous master secret sealed, so that pushes go on when that is no
 * longer given. Any number of processes may do so at once; a stream that is changed meanwhile is left to the
 * next start. Answers how many were sealed anew.
 */
export async function resealHeaders(dependencies: ResealDependencies): Promise<number> {
  const { store, resealHeader, clock } = dependencies
  let resealed = 0
  for (const stream of await store.listStreams()) {
    const { streamId, clientId, revision, delivery } = stream
    if (delivery.method === WEBHOOK) {
      const sealedSecrets = dependencies.resealSecrets(delivery.sealedSecrets, streamId)
      if (sealedSecrets === undefined) continue
      const same = { streamId, revision, sealedSecrets, isRotation: false }
      const answer = await store.setWebhookSecrets({ ...same, by: SERVICE, now: clock() })
      if (answer === 'applied') resealed += 1
      continue
    }
    if (delivery.method !== PUSH || delivery.sealedAuthorization === null) continue
    const sealedAuthorization = resealHeader(delivery.sealedAuthorization, streamId)
    if (sealedAuthorization === undefined) continue
    const { eventsRequested, eventsDelivered, description } = stream
    const answer = await store.changeStream({
      ...{ streamId, clientId, revision, eventsRequested, eventsDelivered, description },
      delivery: { ...delivery, sealedAuthorization },
      ...{ by: SERVICE, now: clock() },
    })
    if (answer === 'applied') resealed += 1
  }
  return resealed
}
