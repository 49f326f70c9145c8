import { CLIENT_USE_NOTED_EVERY_MS, type ClientUse } from '../store/system/clients.ts'

/**
 * When clients proved themselves, gathered in memory: a request is not to wait for it. Of each secret, and
 * of the keys of each client, once an hour.
 */
export type ClientUses = {
  readonly note: (use: ClientUse) => void
  /** What was noted since the last call. */
  readonly take: () => readonly ClientUse[]
  /** Of what was taken, what could not be written down: it is taken again. */
  readonly giveBack: (uses: readonly ClientUse[]) => void
}

/** Only clients that exist are noted, so this is a matter of administrators and not of strangers. */
const MAX_KEPT = 2000

export function createClientUses(): ClientUses {
  const lastNoted = new Map<string, number>()
  let waiting: ClientUse[] = []
  return {
    note(use) {
      const at = use.at.getTime()
      // A client with keys has no secret, and one with a secret no keys.
      const provenBy = use.secretHash ?? use.clientId
      const last = lastNoted.get(provenBy)
      if (last !== undefined && Math.abs(at - last) < CLIENT_USE_NOTED_EVERY_MS) return
      if (lastNoted.size >= MAX_KEPT) lastNoted.clear()
      if (waiting.length >= MAX_KEPT) return
      lastNoted.set(provenBy, at)
      waiting.push(use)
    },
    take() {
      const taken = waiting
      waiting = []
      return taken
    },
    giveBack(uses) {
      waiting = [...uses, ...waiting].slice(0, MAX_KEPT)
    },
  }
}
