/**
 * A stream may be no receiver of events but a directory of somebody else's in which the state of each device is
 * written down. It is delivered to as every stream is, with lanes, retries and refusals.
 */
export const STATE = 'state'

/** Attributes of a device in Entra that are free for anybody to use. */
export const EXTENSION_ATTRIBUTES = Array.from(
  { length: 15 },
  (_, index): ExtensionAttribute => `extensionAttribute${index + 1}`,
)

export type ExtensionAttribute = `extensionAttribute${number}`

/** Where the state of devices is written. */
export type StateTarget = EntraTarget | GoogleTarget

export type EntraTarget = { readonly kind: 'entra'; readonly attribute: ExtensionAttribute }

/**
 * A client state of devices' users at Google: `client` is the customer's id without the `C` that it begins with, a
 * hyphen and a suffix.
 */
export type GoogleTarget = { readonly kind: 'google'; readonly client: string }

/** Google says no more of suffixes than that they are strings of these. */
const GOOGLE_CLIENT = /^[a-z0-9]{4,32}-[a-z0-9]{1,32}$/

export function isGoogleClient(text: string): boolean {
  return GOOGLE_CLIENT.test(text)
}

/**
 * Whose stream it is, which is what tells it from others. No API client has such a name, and no caller of another
 * issuer, whose name begins without a slash: so nobody manages it over HTTP.
 */
export function nameOfTarget(target: StateTarget): string {
  return [STATE, target.kind, target.kind === 'entra' ? target.attribute : target.client].join('/')
}

export function targetOfName(name: string): StateTarget | undefined {
  const [state, kind, what = '', ...more] = name.split('/')
  if (state !== STATE || more.length > 0) return undefined
  const attribute = EXTENSION_ATTRIBUTES.find((one) => one === what)
  if (kind === 'entra' && attribute !== undefined) return { kind, attribute }
  return kind === 'google' && isGoogleClient(what) ? { kind, client: what } : undefined
}

/** What is written of a device: as it is on record when it is written, not when it changed. */
export type DeviceState = {
  readonly deviceId: string
  readonly entraDeviceId: string | null
  readonly serial: string | null
  readonly owner: string | null
  readonly compliance: 'compliant' | 'not-compliant'
}

/** Why nothing is written at Google by a process without a credential. */
export const NO_GOOGLE_ACCOUNT = 'no GOOGLE_SERVICE_ACCOUNT here'

/** Begins the cause of what was written nowhere, as the device is not known there. */
export const UNMATCHED = 'unmatched'

export function unmatched(description: string) {
  return { kind: 'refused', error: UNMATCHED, description } as const
}

/** The same, of a device that is named by nothing that could be asked for. */
export function unnamed(description: string) {
  return { ...unmatched(description), isUnasked: true } as const
}
