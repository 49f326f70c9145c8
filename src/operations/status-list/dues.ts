/** Ends of evidence are told apart to the minute, so that few rows hold them. */
const SLOT_MS = 60_000

/**
 * Devices by when each is to be looked at again (milliseconds of the epoch): at the end of the minute in
 * which its evidence ends, and of one whose evidence has ended, or that has none, at that of the next one.
 * Such a device counts on all the same, by an outage of its verifier or an allowance, or others are just
 * being told.
 */
export function duesOf(
  devices: Iterable<readonly [deviceId: string, validUntil: Date | null]>,
  now: Date,
): ReadonlyMap<number, readonly string[]> {
  const dues = new Map<number, string[]>()
  for (const [deviceId, validUntil] of devices) {
    const end = validUntil?.getTime() ?? 0
    const from = end > now.getTime() ? end : now.getTime() + SLOT_MS
    const slot = Math.ceil(from / SLOT_MS) * SLOT_MS
    const due = dues.get(slot)
    if (due === undefined) dues.set(slot, [deviceId])
    else due.push(deviceId)
  }
  return dues
}
