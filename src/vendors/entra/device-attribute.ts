import type { PushOutcome } from '../../signals/push-answer.ts'
import {
  type DeviceState,
  type ExtensionAttribute,
  unmatched,
  unnamed,
} from '../../signals/state-target.ts'
import { laterOf, type StateAnswer, type StateRequest, type Unwritable } from '../state-request.ts'

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * The update that writes the state of a device into its extension attribute (Graph, *Update device*), or why
 * none can: what names the device in Entra is what administrators said, and may be nothing or no such name.
 */
export function describeDeviceUpdate(
  { entraDeviceId, compliance }: Pick<DeviceState, 'entraDeviceId' | 'compliance'>,
  attribute: ExtensionAttribute,
): StateRequest | Unwritable {
  if (entraDeviceId === null) return unnamed('no Entra device id is on record')
  if (!GUID.test(entraDeviceId)) return unnamed('its Entra device id is no GUID')
  return {
    method: 'PATCH',
    path: `/v1.0/devices(deviceId='${entraDeviceId.toLowerCase()}')`,
    body: JSON.stringify({ extensionAttributes: { [attribute]: compliance } }),
  }
}

const CODE = /^[\w.-]{1,64}$/

/**
 * What an answer of Graph means. A device that is not there, and an update that is refused as such, are about the
 * device; all else is about us, the credential or the service, and is tried again. So is what Graph does not answer, as a
 * page of a proxy: an update is answered by nothing (204), and an error by its code.
 */
export function readGraphAnswer({ status, body, retryAfterSeconds }: StateAnswer): PushOutcome {
  if (status === 204) return { kind: 'delivered' }
  const code = codeIn(body)
  if (code === '') return laterOf(String(status), retryAfterSeconds)
  if (status === 404) return unmatched(`Entra has no such device (${code})`)
  if (status === 400) return { kind: 'refused', error: code, description: 'by Microsoft Graph' }
  return laterOf(`${status} ${code}`, retryAfterSeconds)
}

/** `error.code` (Graph, *Error responses*): its messages quote what was sent. */
function codeIn(body: unknown): string {
  const { code } = Object(Object(body).error)
  return typeof code === 'string' && CODE.test(code) ? code : ''
}
