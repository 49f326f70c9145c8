import { z } from 'zod'
import { MAX_OWNER_CHARS } from '../../access/limits.ts'

/** Labels of one device. */
const MAX_LABELS = 64
const label = z.string().min(1).max(64)

/** What administrators may say of a device, member by member; `null` empties. */
export const deviceAttributes = {
  owner: z.string().max(MAX_OWNER_CHARS).nullable().optional(),
  entra_device_id: z.string().max(64).nullable().optional(),
  /** What people call it. */
  name: z.string().max(200).nullable().optional(),
  /** Serial number of the hardware. */
  serial: z.string().max(128).nullable().optional(),
  labels: z.array(label).max(MAX_LABELS).optional(),
}

const attributes = z.strictObject(deviceAttributes)

export type AttributesSaid = z.infer<typeof attributes>

/** The members as the store names them; absent ones stay absent. */
export function attributesOf({ entra_device_id, owner, name, serial, labels }: AttributesSaid) {
  return {
    ...(owner !== undefined && { owner }),
    ...(entra_device_id !== undefined && { entraDeviceId: entra_device_id }),
    ...(name !== undefined && { name }),
    ...(serial !== undefined && { serial }),
    ...(labels !== undefined && { labels }),
  }
}

/** What is wrong with attributes, in words; `undefined` where nothing is. */
export function problemOfAttributes(said: unknown): string | undefined {
  const parsed = attributes.safeParse(said)
  if (parsed.success) return undefined
  return parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
}
