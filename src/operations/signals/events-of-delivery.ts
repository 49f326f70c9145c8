import { eventsOf } from '../../signals/device-change.ts'
import type { DeviceEventType, EventType } from '../../signals/event-types.ts'
import { readChange } from '../../signals/read-change.ts'
import {
  describeSecurityEvent,
  type EventOfDelivery,
  streamSubject,
} from '../../signals/security-event-token.ts'
import { subjectOf } from '../../signals/subject.ts'
import { describeTestEvents, TEST_DEVICE } from '../../signals/test-events.ts'
import { tellReasons } from '../../signals/told-reasons.ts'
import type { DueDelivery } from '../../store/signals/due-deliveries.ts'
import type { StoredStream } from '../../store/signals/streams.ts'
import type { RulesReader } from '../release/rules-in-force.ts'

export type EventDependencies = {
  readonly rules: Pick<RulesReader, 'recent'>
  /** Our URL, which is the `iss` of every event. */
  readonly issuer: string
  /** Signs the claims of an event as a token. */
  readonly signEvent: (claims: object) => Promise<string>
}

/** An event that its stream is still to have. */
export type EventToSend = {
  readonly type: EventType
  /** The `jti` of its token. */
  readonly tokenId: string
  /** The same token each time, but for the signature. */
  readonly sign: () => Promise<string>
}

/**
 * The events of a delivery that its stream does not have yet, in their order. `undefined` where this version
 * cannot read what is in the outbox: it waits for one that can.
 */
export async function eventsOfDelivery(
  dependencies: EventDependencies,
  stream: StoredStream,
  due: Omit<DueDelivery, 'attempts'>,
): Promise<readonly EventToSend[] | undefined> {
  const { streamId, eventsDelivered, subjectForm } = stream
  const { payload, type } = due
  if (type === 'verification' || type === 'stream-updated') {
    const subject = streamSubject(streamId)
    return [toSend(dependencies, stream, due, { type, claims: Object(payload), subject })]
  }
  if (due.isExcluded) return []
  if (type === 'test') return testEvents(dependencies, stream, due)
  const read = readChange(payload)
  if (read === undefined) return undefined
  const { policy } = (await dependencies.rules.recent()).active
  const told = tellReasons(read.change.currentVerdict, read.reasons, policy)
  const subject = subjectOf(due, { form: subjectForm, issuer: dependencies.issuer })
  return eventsOf(read.change, told)
    .filter((event) => eventsDelivered.includes(event.type) && !due.delivered.includes(event.type))
    .map((event) => toSend(dependencies, stream, due, { ...event, subject }))
}

/** One of each type that the stream has, about a device that there is not, and said to be a test. */
function testEvents(
  dependencies: EventDependencies,
  stream: StoredStream,
  due: Omit<DueDelivery, 'attempts'>,
): readonly EventToSend[] {
  const { eventsDelivered, subjectForm: form } = stream
  const subject = subjectOf(TEST_DEVICE, { form, issuer: dependencies.issuer })
  return describeTestEvents(due.createdAt)
    .filter(({ type }) => eventsDelivered.includes(type) && !due.delivered.includes(type))
    .map((event) => toSend(dependencies, stream, due, { ...event, subject }))
}

function toSend(
  { issuer, signEvent }: EventDependencies,
  { streamId, audience }: StoredStream,
  { eventId, deviceId: lane, position, createdAt: at }: Omit<DueDelivery, 'attempts'>,
  event: Pick<EventOfDelivery, 'type' | 'claims' | 'subject'>,
): EventToSend {
  const about = { eventId, lane, position, at, ...event }
  const claims = describeSecurityEvent(about, { streamId, issuer, audience })
  return { type: event.type, tokenId: claims.jti, sign: () => signEvent(claims) }
}

export function isDeviceEvent(type: EventType): type is DeviceEventType {
  return type !== 'verification' && type !== 'stream-updated'
}
