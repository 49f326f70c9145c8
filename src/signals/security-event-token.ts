import { EVENT_TYPES, type EventType } from './event-types.ts'
import type { EventSubject, Subject } from './subject.ts'

/**
 * Explicitly typed, with neither `sub` nor `exp`, so that no event passes for a token that opens something
 * (SSF 1.0 §4.1).
 */
export const EVENT_TOKEN_TYPE = 'secevent+jwt'

/** The claims of a security event token (RFC 8417 as SSF 1.0 §4 profiles it), with exactly one event. */
export type SecurityEvent = {
  readonly iss: string
  readonly jti: string
  /** Seconds of the epoch. */
  readonly iat: number
  readonly aud: string
  readonly txn: string
  readonly sub_id: Subject
  readonly events: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/** What a stream's tokens have in common. */
export type StreamNames = {
  readonly streamId: string
  readonly issuer: string
  readonly audience: string
}

/** One event of a delivery. */
export type EventOfDelivery = {
  /** Names the change that the event tells of; all events of one change have it as `txn`. */
  readonly eventId: string
  /** The device, or for what is about the stream the stream; with `position` it names the delivery. */
  readonly lane: string
  readonly position: number
  readonly type: EventType
  readonly claims: Readonly<Record<string, unknown>>
  readonly subject: EventSubject
  /** When the event was put on record. */
  readonly at: Date
}

/**
 * The claims of one event for one stream. Made of what is on record alone, so that whoever makes them again
 * for another try makes the same, the `jti` above all: a receiver that has it already passes it over.
 */
export function describeSecurityEvent(
  event: EventOfDelivery,
  { streamId, issuer, audience }: StreamNames,
): SecurityEvent {
  const { eventId, lane, position, type, claims, subject, at } = event
  const inside = subject.inside && { subject: subject.inside }
  return {
    iss: issuer,
    jti: tokenIdOf({ streamId, lane, position, type }),
    iat: Math.floor(at.getTime() / 1000),
    aud: audience,
    txn: eventId,
    sub_id: subject.subId,
    events: { [EVENT_TYPES[type]]: { ...inside, ...claims } },
  }
}

/** What a token is the delivery of. */
export type TokenName = {
  readonly streamId: string
  readonly lane: string
  readonly position: number
  readonly type: EventType
}

/** The `jti`: where its delivery is on record. The same for every try, and another for every stream. */
export function tokenIdOf({ streamId, lane, position, type }: TokenName): string {
  return [streamId, lane, position, type].join('.')
}

const TOKEN_ID = /^([\w-]{1,64})\.([\w-]{1,64})\.(\d{1,15})\.([a-z-]{1,32})$/

/** Reads what a receiver says that it has; `undefined` for what is no name of a token. */
export function readTokenId(tokenId: string): TokenName | undefined {
  const [, streamId, lane, position, type = ''] = TOKEN_ID.exec(tokenId) ?? []
  if (streamId === undefined || lane === undefined || !isEventType(type)) return undefined
  return { streamId, lane, position: Number(position), type }
}

function isEventType(name: string): name is EventType {
  return Object.hasOwn(EVENT_TYPES, name)
}

/** About the stream itself: no device is named (SSF 1.0 §8.1.4.1, §8.1.5). */
export function streamSubject(streamId: string): EventSubject {
  return { subId: { format: 'opaque', id: streamId } }
}
