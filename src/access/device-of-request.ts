import { err, ok, type Result } from '../base/result.ts'
import type { EntityFacts } from '../policy/language/input.ts'
import { MAX_TOKEN_CHARS } from './limits.ts'

export const DEVICE_NAME_REASONS = [
  'device_not_named',
  'device_names_conflict',
  'device_token_refused',
] as const

/** Why it cannot be said which device a request is about. Answered as a deny, not as an error. */
export type DeviceNameFailure = { readonly reason: (typeof DEVICE_NAME_REASONS)[number] }

/** The properties of a subject that say which device it asks from. */
export const DEVICE_PROPERTIES: ReadonlySet<string> = new Set(['device_id', 'device_token'])

/**
 * The device token that a subject carries in `properties.device_token`, for whoever can verify it.
 * `null` for one that cannot be a token.
 */
export function deviceTokenOf(subject: EntityFacts): string | null | undefined {
  const token = ownProperty(subject, 'device_token')
  if (token === undefined) return undefined
  return typeof token === 'string' && token.length <= MAX_TOKEN_CHARS ? token : null
}

/**
 * The id of the device that a request is about: the subject itself when its type is `device`, or
 * what its properties `device_id` and `device_token` name. The resource and the context say
 * nothing about the device.
 */
export function deviceOfRequest(input: {
  readonly subject: EntityFacts
  /** From the verified token; `null` for a refused one; absent where there was none. */
  readonly tokenDeviceId?: string | null | undefined
}): Result<string, DeviceNameFailure> {
  const { subject, tokenDeviceId } = input
  if (tokenDeviceId === null) return err({ reason: 'device_token_refused' })
  const names = new Set<unknown>()
  if (subject.type === 'device') names.add(subject.id)
  const property = ownProperty(subject, 'device_id')
  if (property !== undefined) names.add(property)
  if (tokenDeviceId !== undefined) names.add(tokenDeviceId)
  if (names.size > 1) return err({ reason: 'device_names_conflict' })
  const [name] = names
  return typeof name === 'string' && name !== '' ? ok(name) : err({ reason: 'device_not_named' })
}

function ownProperty({ properties }: EntityFacts, name: string): unknown {
  return Object.hasOwn(properties, name) ? properties[name] : undefined
}
