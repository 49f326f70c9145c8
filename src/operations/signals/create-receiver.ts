import { deviceEventsIn, EVENT_TYPES } from '../../signals/event-types.ts'
import { PUSH } from '../../signals/stream.ts'
import type { SubjectForm } from '../../signals/subject.ts'
import type { Store } from '../../store/store.ts'

export type CreateReceiverDependencies = {
  readonly store: Pick<Store, 'createStream'>
  readonly sealAuthorization: (authorization: string, streamId: string) => string
  readonly makeEventKey: () => Promise<void>
  readonly newStreamId: () => string
  readonly clock: () => Date
}

/** A receiver that makes no stream itself: an administrator says where it is. */
export type Receiver = {
  /**
   * Whose stream it is. No client is called so, nor a caller of another issuer, whose name begins with the issuer's and a
   * colon: so nobody manages it over HTTP.
   */
  readonly name: string
  readonly url: string
  readonly audience: string
  readonly authorization: string | null
  readonly subjectForm: SubjectForm
  /** URIs of the events that it is sent. */
  readonly events: readonly string[]
  readonly description: string
}

/** Okta's receiver of one organisation: it calls no stream API, and wants its own form of subject. */
export function oktaReceiver(organisation: string): Receiver {
  return {
    name: `receiver/okta/${new URL(organisation).host}`,
    url: `${organisation}/security/api/v1/security-events`,
    audience: organisation,
    authorization: null,
    subjectForm: 'okta',
    events: [EVENT_TYPES['device-compliance-change']],
    description: 'Okta',
  }
}

/** Of one receiver: another one takes its place after the first was removed. */
const MOST = 1

/** Makes the stream of a receiver; `undefined` if it has one. */
export async function createReceiver(
  dependencies: CreateReceiverDependencies,
  receiver: Receiver,
  by: string,
): Promise<string | undefined> {
  const { store, sealAuthorization, makeEventKey, newStreamId, clock } = dependencies
  await makeEventKey()
  const streamId = newStreamId()
  const { authorization, url, events, name, ...rest } = receiver
  const sealed = authorization === null ? null : sealAuthorization(authorization, streamId)
  const answer = await store.createStream({
    ...{ streamId, clientId: name, most: MOST, by, now: clock(), ...rest },
    delivery: { method: PUSH, url, sealedAuthorization: sealed },
    ...{ eventsRequested: events, eventsDelivered: deviceEventsIn(events) },
  })
  return answer === 'applied' ? streamId : undefined
}
