import { fromBase64Url, fromUtf8, toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { type PurposeKeys, seal, unsealWithAny } from '../../keys/sealing.ts'

/** A device that was proven for a sign-in: what its token says, and the token. */
export type ProvenDevice = { readonly deviceId: string; readonly deviceToken: string }

/** Of a device token of any length that is read, sealed and in base64url. */
const MAX_TICKET_CHARS = 16_384
const SEPARATOR = '\n'

/**
 * What an agent gets for a proof, and the browser of its machine goes on with: the device, sealed for one
 * sign-in. Worth nothing without the cookie of the browser that began that one.
 */
export function sealTicket(
  keys: PurposeKeys,
  { deviceId, deviceToken }: ProvenDevice,
  signInId: string,
): string {
  const plaintext = toUtf8(deviceId + SEPARATOR + deviceToken)
  return toBase64Url(seal({ key: keys[0], plaintext, context: signInId }))
}

/** The device of a ticket of this sign-in; `undefined` for anything else. */
export function openTicket(
  keys: PurposeKeys,
  ticket: string,
  signInId: string,
): ProvenDevice | undefined {
  const sealed = ticket.length <= MAX_TICKET_CHARS ? fromBase64Url(ticket) : undefined
  if (sealed === undefined) return undefined
  const opened = unsealWithAny({ keys, sealed, context: signInId })
  const [deviceId, deviceToken] = (opened && fromUtf8(opened))?.split(SEPARATOR) ?? []
  if (deviceId === undefined || deviceToken === undefined) return undefined
  return { deviceId, deviceToken }
}
