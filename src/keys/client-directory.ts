import type { StoredClient } from '../store/clients.ts'
import type { ApiClient, Store } from '../store/store.ts'
import { hashClientSecret, verifyClientSecret } from './client-secret.ts'

/** API clients as requests prove them. */
export type ClientDirectory = {
  readonly verify: (credentials: {
    readonly id: string
    readonly secret: string
  }) => Promise<ApiClient | undefined> | ApiClient | undefined
}

/** A disabled client is turned away after at most this long. */
const MAX_AGE_MS = 5000
const MAX_KEPT = 1000

/** Compared with when there is no such client, so that timing does not tell which ids exist. */
const NOBODY = hashClientSecret('')

/** Keeps what it read of a client for a moment: a decision is one round trip, and not two. */
export function createClientDirectory(store: Store, clock: () => Date): ClientDirectory {
  const kept = new Map<string, { readonly client: StoredClient; readonly at: number }>()

  const verifySecret = (client: StoredClient | null, secret: string) => {
    const isRight = verifyClientSecret(secret, client?.secretHash ?? NOBODY)
    if (client === null || client.disabledAt !== null || !isRight) return undefined
    return client
  }

  const read = async (id: string, secret: string) => {
    const client = await store.findClient(id)
    // Only clients that exist are kept, so that guessing ids fills nothing.
    if (client !== null) {
      if (kept.size >= MAX_KEPT) kept.clear()
      kept.set(id, { client, at: clock().getTime() })
    }
    return verifySecret(client, secret)
  }

  return {
    verify({ id, secret }) {
      const known = kept.get(id)
      const age = known === undefined ? Infinity : Math.abs(clock().getTime() - known.at)
      return known !== undefined && age < MAX_AGE_MS
        ? verifySecret(known.client, secret)
        : read(id, secret)
    },
  }
}
