import { err, ok, type Result } from '../base/result.ts'
import type { Store } from '../store/store.ts'
import type { ClientUse, StoredClient } from '../store/system/clients.ts'
import { hashClientSecret, verifyClientSecret } from './client-secret.ts'

/** Why credentials prove no client. For the log alone: whoever sends them is told nothing of it. */
export const CLIENT_REASONS = [
  'client_unknown',
  'client_disabled',
  'client_secret_wrong',
  'client_secret_expired',
] as const

export type ClientFailure = { readonly reason: (typeof CLIENT_REASONS)[number] }

/** API clients as requests prove them. */
export type ClientDirectory = {
  readonly verify: (credentials: {
    readonly id: string
    readonly secret: string
  }) => Promise<Result<StoredClient, ClientFailure>> | Result<StoredClient, ClientFailure>
  /** A client as it was a few seconds ago at most, disabled or not; proves nothing. */
  readonly find: (id: string) => Promise<StoredClient | null> | StoredClient | null
  /** Reads a client anew when it is asked for next: it was changed here. */
  readonly forget: (id: string) => void
}

/** How often a client is refused in a minute before it is told to wait. */
export const CLIENT_REFUSALS_PER_MINUTE = 30

/** A disabled client, and a token that was revoked, is turned away after at most this long. */
export const CLIENT_MAX_AGE_MS = 5000
/** A secret that is not known is looked up again after so long: it may be newer than what is kept. */
const REREAD_MS = 1000
const MAX_KEPT = 1000

/** Compared with when there is no such client, so that timing does not tell which ids exist. */
const NOBODY = hashClientSecret('')

/**
 * Keeps what it read of a client for a moment: a decision is one round trip, and not two. `noteUse` is
 * told by which of its secrets a client was proven.
 */
export function createClientDirectory(
  store: Pick<Store, 'findClient'>,
  clock: () => Date,
  noteUse: (use: ClientUse) => void = () => {},
): ClientDirectory {
  const kept = new Map<string, { readonly client: StoredClient; readonly at: number }>()

  const verifySecret = (
    client: StoredClient | null,
    secret: string,
  ): Result<StoredClient, ClientFailure> => {
    const now = clock()
    // Both are compared whichever there are, so that timing does not tell that either.
    const isCurrent = verifyClientSecret(secret, client?.secretHash ?? NOBODY)
    const isPrevious = verifyClientSecret(secret, client?.previousSecretHash ?? NOBODY)
    if (client === null) return err({ reason: 'client_unknown' })
    const hash = isCurrent ? client.secretHash : isPrevious ? previousHashAt(client, now) : null
    if (hash === null) return err({ reason: 'client_secret_wrong' })
    if (client.disabledAt !== null) return err({ reason: 'client_disabled' })
    const { secretExpiresAt } = client
    if (isCurrent && secretExpiresAt !== null && now >= secretExpiresAt) {
      return err({ reason: 'client_secret_expired' })
    }
    noteUse({ clientId: client.clientId, secretHash: hash, at: now })
    return ok(client)
  }

  const load = async (id: string) => {
    const client = await store.findClient(id)
    // Only clients that exist are kept, so that guessing ids fills nothing.
    if (client !== null) {
      if (kept.size >= MAX_KEPT) kept.clear()
      kept.set(id, { client, at: clock().getTime() })
    }
    return client
  }
  const read = async (id: string, secret: string) => verifySecret(await load(id), secret)
  const ageOf = (known: { readonly at: number } | undefined) =>
    known === undefined ? Infinity : Math.abs(clock().getTime() - known.at)

  return {
    verify({ id, secret }) {
      const known = kept.get(id)
      const age = ageOf(known)
      if (known === undefined || age >= CLIENT_MAX_AGE_MS) return read(id, secret)
      const verified = verifySecret(known.client, secret)
      // It may be the new secret of a client that was rotated since: looked up once more a second.
      const mayBeNew = !verified.ok && verified.failure.reason === 'client_secret_wrong'
      return mayBeNew && age >= REREAD_MS ? read(id, secret) : verified
    },
    find(id) {
      const known = kept.get(id)
      return known === undefined || ageOf(known) >= CLIENT_MAX_AGE_MS ? load(id) : known.client
    },
    forget(id) {
      kept.delete(id)
    },
  }
}

/** The hash of the secret before the current one, while that counts. */
function previousHashAt(
  { previousSecretHash, previousSecretUntil }: StoredClient,
  now: Date,
): string | null {
  const counts = previousSecretUntil !== null && now < previousSecretUntil
  return counts ? previousSecretHash : null
}
