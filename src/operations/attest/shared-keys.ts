import { forgetOldest } from '../../base/forget-oldest.ts'

/**
 * One request key that is proven for several devices: a copied image, or one program that plays many
 * devices. It is no reason to refuse anybody, as a key of one's own costs nothing, but worth knowing:
 * whoever takes such a key has the proof of all of them.
 */
export type SharedKeys = {
  /** Whether this key was proven for another device before, as far as this process remembers. */
  readonly note: (confirmationKey: string, deviceId: string) => boolean
}

/** Past this many keys the ones that were proven longest ago are forgotten. */
const MAX_KEYS = 20_000

export function createSharedKeys(most = MAX_KEYS): SharedKeys {
  const devices = new Map<string, string>()
  return {
    note(confirmationKey, deviceId) {
      const before = devices.get(confirmationKey)
      devices.delete(confirmationKey)
      devices.set(confirmationKey, deviceId)
      forgetOldest(devices, most)
      return before !== undefined && before !== deviceId
    },
  }
}
