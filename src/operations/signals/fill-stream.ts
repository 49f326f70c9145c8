import type { Store } from '../../store/store.ts'

/** Devices in one statement. */
const AT_ONCE = 500
/** What waits for a stream until no more is put there: filling is no reason to fill the disk. */
const WAITING_MOST = 5_000
const PAUSE_MS = 500

/**
 * Has a stream hear of every device that has attested, as if each had just changed. Goes through the fleet in the
 * order of ids, a page at a time, and waits where the stream is slower; ended anywhere, it is begun anew and does no harm.
 * Answers how many devices it went through; `undefined` where there is no such stream that keeps events.
 */
export async function fillStream(
  {
    store,
    clock,
    wait,
  }: {
    readonly store: Pick<Store, 'fillStream' | 'countDeliveries'>
    readonly clock: () => Date
    readonly wait: (ms: number) => Promise<void>
  },
  {
    streamId,
    onProgress,
  }: { readonly streamId: string; readonly onProgress?: (done: number) => void },
): Promise<number | undefined> {
  let after = ''
  let devices = 0
  for (;;) {
    while ((await store.countDeliveries(streamId)).waiting > WAITING_MOST) await wait(PAUSE_MS)
    const page = await store.fillStream({ streamId, after, limit: AT_ONCE, now: clock() })
    if (page === null) return undefined
    devices += page.devices
    onProgress?.(devices)
    if (page.devices < AT_ONCE) return devices
    after = page.last
  }
}
