import { eq, inArray } from 'drizzle-orm'
import type { Database } from '../drivers/database.ts'
import { deviceLink } from '../schema/device-schema.ts'

/**
 * The devices that these names stand for, where they are names of others. `deviceIds` are storable.
 * Asked only about names without a device of their own, which is rare: not prepared.
 */
export async function readLinks(
  db: Database,
  deviceIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const asked = deviceIds.filter((id) => id !== '')
  if (asked.length === 0) return new Map()
  const rows = await db
    .select({ deviceId: deviceLink.deviceId, targetId: deviceLink.targetId })
    .from(deviceLink)
    .where(inArray(deviceLink.deviceId, asked))
  return new Map(rows.map(({ deviceId, targetId }) => [deviceId, targetId]))
}

/** Every name of the device that `id`, which is storable, stands for: its own first. */
export async function namesOfDevice(db: Database, id: string): Promise<[string, ...string[]]> {
  const target = (await readLinks(db, [id])).get(id) ?? id
  const links = await db
    .select({ deviceId: deviceLink.deviceId })
    .from(deviceLink)
    .where(eq(deviceLink.targetId, target))
  return [target, ...links.map(({ deviceId }) => deviceId)]
}
