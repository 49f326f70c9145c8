import { z } from 'zod'
import { foldText } from '../../base/fold-text.ts'
import type { PushOutcome } from '../../signals/push-answer.ts'
import {
  type DeviceState,
  type GoogleTarget,
  unmatched,
  unnamed,
} from '../../signals/state-target.ts'
import { laterOf, type StateAnswer, type StateRequest, type Unwritable } from '../state-request.ts'

/** Of the Cloud Identity API. */
export const GOOGLE_URL = 'https://cloudidentity.googleapis.com'
export const GOOGLE_SCOPE = 'https://www.googleapis.com/auth/cloud-identity.devices'

/** The customer of the administrator in whose name it is asked. */
const CUSTOMER = 'customers/my_customer'
/** What may stand in a filter without meaning anything there. */
const SERIAL = /^[\w.-]{1,64}$/
const DEVICE_NAME = /^devices\/[\w-]{1,128}$/
const DEVICE_USER_NAME = /^devices\/[\w-]{1,128}\/deviceUsers\/[\w-]{1,128}$/

/** Asks which device has the serial number (Cloud Identity, *devices.list*). */
export function describeDeviceQuery({
  serial,
  owner,
}: Pick<DeviceState, 'serial' | 'owner'>): StateRequest | Unwritable {
  if (serial === null) return unnamed('no serial number is on record')
  if (owner === null) return unnamed('no owner is on record')
  if (!SERIAL.test(serial)) return unnamed('its serial number cannot be asked for')
  const query = new URLSearchParams({ customer: CUSTOMER, filter: `serial:${serial}` })
  return { method: 'GET', path: `/v1/devices?${query}` }
}

const devices = z.object({
  devices: z
    .array(z.object({ name: z.string().regex(DEVICE_NAME), serialNumber: z.string().optional() }))
    .default([]),
})

/**
 * What is no answer of Google's, though it came as a success, says nothing of the device: to take it for one that is
 * not there would leave at Google what was written before, for good.
 */
const NO_ANSWER = laterOf('an answer of another form', undefined)

/** The name of the one device of this number, or why there is none. */
export function readDevices(body: unknown, serial: string): string | PushOutcome {
  const read = devices.safeParse(body)
  if (!read.success) return NO_ANSWER
  const wanted = foldText(serial)
  const found = read.data.devices.filter((one) => foldText(one.serialNumber ?? '') === wanted)
  const [device] = found
  if (device === undefined) return unmatched('Google has no device with its serial number')
  return found.length === 1 ? device.name : unmatched('Google has several of its serial number')
}

/** Asks who uses a device (Cloud Identity, *devices.deviceUsers.list*). */
export function describeUserQuery(device: string): StateRequest {
  const query = new URLSearchParams({ customer: CUSTOMER, pageSize: '20' })
  return { method: 'GET', path: `/v1/${device}/deviceUsers?${query}` }
}

const users = z.object({
  deviceUsers: z
    .array(z.object({ name: z.string().regex(DEVICE_USER_NAME), userEmail: z.string().optional() }))
    .default([]),
})

/** The name of the device's user who is its owner here, or why there is none. */
export function readDeviceUsers(body: unknown, owner: string): string | PushOutcome {
  const read = users.safeParse(body)
  if (!read.success) return NO_ANSWER
  const wanted = foldText(owner)
  const user = read.data.deviceUsers.find((one) => foldText(one.userEmail ?? '') === wanted)
  return user?.name ?? unmatched('its owner does not use it at Google')
}

/** Writes the state (Cloud Identity, *devices.deviceUsers.clientStates.patch*). */
export function describeClientState(
  deviceUser: string,
  { client }: GoogleTarget,
  { deviceId, compliance }: Pick<DeviceState, 'deviceId' | 'compliance'>,
): StateRequest {
  const isCompliant = compliance === 'compliant'
  const state = {
    complianceState: isCompliant ? 'COMPLIANT' : 'NON_COMPLIANT',
    managed: 'MANAGED',
    healthScore: isCompliant ? 'VERY_GOOD' : 'VERY_POOR',
    scoreReason: isCompliant ? 'attested' : 'not attested as the policy asks',
    customId: deviceId,
  }
  const query = new URLSearchParams({
    ...{ updateMask: Object.keys(state).join(','), customer: CUSTOMER },
  })
  const path = `/v1/${deviceUser}/clientStates/${client}?${query}`
  return { method: 'PATCH', path, body: JSON.stringify(state) }
}

const STATUS = /^[A-Z_]{1,64}$/

/**
 * What an answer means that is no success; `undefined` for one that is. What is refused as such is about the device;
 * all else is about us, the credential or the service, and is tried again.
 */
export function readGoogleFailure({
  status,
  body,
  retryAfterSeconds,
}: StateAnswer): PushOutcome | undefined {
  if (status === 200) return undefined
  const { status: code } = Object(Object(body).error)
  if (typeof code !== 'string' || !STATUS.test(code)) {
    return laterOf(String(status), retryAfterSeconds)
  }
  if (status === 404) return unmatched(`Google does not know it (${code})`)
  if (status === 400) return { kind: 'refused', error: code, description: 'by Cloud Identity' }
  return laterOf(`${status} ${code}`, retryAfterSeconds)
}

/** google.rpc.Code: INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION. */
const ABOUT_THE_DEVICE: readonly unknown[] = [3, 5, 9]

/** The answer to an update is an operation, which may hold an error of its own (google.longrunning.Operation). */
export function readOperation(body: unknown): PushOutcome {
  if (typeof Object(body).name !== 'string') return NO_ANSWER
  const { error } = Object(body)
  if (error === undefined) return { kind: 'delivered' }
  const { code } = Object(error)
  const told = `operation failed (${Number(code)})`
  if (!ABOUT_THE_DEVICE.includes(code)) return laterOf(told, undefined)
  return { kind: 'refused', error: told, description: 'by Cloud Identity' }
}
