/**
 * The events that streams may carry, by short names, with the URIs that name them on the wire: CAEP 1.0 §3
 * for what happens to devices, SSF 1.0 §8.1.4 and §8.1.5 for what happens to the stream itself.
 */
export const EVENT_TYPES = {
  'device-compliance-change': caep('device-compliance-change'),
  'risk-level-change': caep('risk-level-change'),
  'session-revoked': caep('session-revoked'),
  verification: ssf('verification'),
  'stream-updated': ssf('stream-updated'),
} as const

export type EventType = keyof typeof EVENT_TYPES

/** What a receiver may ask for. Verification and stream updates come to every stream unasked. */
export const DEVICE_EVENT_TYPES = [
  'device-compliance-change',
  'risk-level-change',
  'session-revoked',
] as const satisfies readonly EventType[]

export type DeviceEventType = (typeof DEVICE_EVENT_TYPES)[number]

/** The device events among these URIs, in our own order; what we do not send is passed over (SSF §8.1.1). */
export function deviceEventsIn(uris: readonly string[]): readonly DeviceEventType[] {
  return DEVICE_EVENT_TYPES.filter((type) => uris.includes(EVENT_TYPES[type]))
}

function caep<N extends string>(name: N) {
  return `https://schemas.openid.net/secevent/caep/event-type/${name}` as const
}

function ssf<N extends string>(name: N) {
  return `https://schemas.openid.net/secevent/ssf/event-type/${name}` as const
}
