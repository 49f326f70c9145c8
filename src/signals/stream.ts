import { DEVICE_EVENT_TYPES, type DeviceEventType, EVENT_TYPES } from './event-types.ts'
import type { SubjectForm } from './subject.ts'

export const PUSH = 'urn:ietf:rfc:8935'
export const POLL = 'urn:ietf:rfc:8936'

/** What a receiver set up (SSF 1.0 §8.1.1). */
export type Stream = {
  readonly streamId: string
  /** The client whose stream it is: no other sees it. */
  readonly clientId: string
  readonly audience: string
  readonly delivery: Delivery
  /** As they were asked for, known to us or not. */
  readonly eventsRequested: readonly string[]
  readonly eventsDelivered: readonly DeviceEventType[]
  readonly description: string | null
  readonly subjectForm: SubjectForm
  readonly status: StreamStatus
  /** Why it is not enabled, in the words of whoever changed it. */
  readonly reason: string | null
}

/** `authorization` is what stands in the header of that name; it is never told again. */
export type Delivery =
  | { readonly method: typeof PUSH; readonly url: string; readonly authorization: string | null }
  | { readonly method: typeof POLL }

/**
 * - `enabled`: events go out.
 * - `paused`: they are kept until it is enabled again.
 * - `disabled`: they are not even kept (SSF 1.0 §8.1.2).
 */
export const STREAM_STATUSES = ['enabled', 'paused', 'disabled'] as const

export type StreamStatus = (typeof STREAM_STATUSES)[number]

/** How often a receiver may ask for a verification, in seconds. */
export const MIN_VERIFICATION_SECONDS = 5

/** The stream as its receiver is told of it. `pollUrl`: where its events are to be had. */
export function describeStream(
  stream: Stream,
  { issuer, pollUrl }: { readonly issuer: string; readonly pollUrl: string },
) {
  const { delivery, description } = stream
  return {
    stream_id: stream.streamId,
    iss: issuer,
    aud: stream.audience,
    delivery:
      delivery.method === PUSH
        ? { method: PUSH, endpoint_url: delivery.url }
        : { method: POLL, endpoint_url: pollUrl },
    events_supported: DEVICE_EVENT_TYPES.map((type) => EVENT_TYPES[type]),
    events_requested: stream.eventsRequested,
    events_delivered: stream.eventsDelivered.map((type) => EVENT_TYPES[type]),
    min_verification_interval: MIN_VERIFICATION_SECONDS,
    ...(description !== null && { description }),
  }
}
