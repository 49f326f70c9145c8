import { err, ok, type Result } from '../../base/result.ts'
import { CLIENT_SECRET_BYTES, hashClientSecret, newClientSecret } from '../../keys/client-secret.ts'
import type { ApiClient, Store } from '../../store/store.ts'

export const CLIENT_ROTATION_REASONS = [
  'client_to_rotate_not_found',
  'client_to_rotate_disabled',
  'client_rotation_under_way',
  /** It has keys, and no secret. */
  'client_to_rotate_has_keys',
] as const

export type ClientRotationFailure = { readonly reason: (typeof CLIENT_ROTATION_REASONS)[number] }

export type RotatedClient = {
  /** Shown once: only its hash is kept. */
  readonly secret: string
  /** Until when the secret before counts too; `now` where it has ended. */
  readonly previousUntil: Date
  /** When the new one ends; null for never by itself. */
  readonly expiresAt: Date | null
}

/** Longer, and two secrets would be how it is and not how it changes. */
export const MAX_OVERLAP_MS = 30 * 86_400_000

const FAILURES = {
  client_unknown: 'client_to_rotate_not_found',
  client_disabled: 'client_to_rotate_disabled',
  rotation_under_way: 'client_rotation_under_way',
  client_has_keys: 'client_to_rotate_has_keys',
} as const

/**
 * Gives a client another secret. The one before counts for `overlapMs` more, at most `MAX_OVERLAP_MS`,
 * so that whoever uses it can be told the new one meanwhile; 0 ends it, any before it, and the access
 * tokens of the client, at once.
 */
export async function rotateClient(
  dependencies: {
    readonly store: Pick<Store, 'findClient' | 'rotateClientSecret'>
    readonly random: (length: number) => Uint8Array
  },
  change: {
    readonly clientId: string
    readonly overlapMs: number
    /** How long the new secret counts. Without it as long as the one before was to count, if that had an end. */
    readonly lifetimeMs?: number | undefined
    readonly by: string
    readonly now: Date
  },
): Promise<Result<RotatedClient, ClientRotationFailure>> {
  const { store, random } = dependencies
  const { clientId, overlapMs, lifetimeMs, by, now } = change
  if (overlapMs > MAX_OVERLAP_MS) throw new TypeError('an overlap is 30 days at most')
  const secret = newClientSecret(random(CLIENT_SECRET_BYTES))
  const until = new Date(now.getTime() + overlapMs)
  const secretHash = hashClientSecret(secret)
  const lives = lifetimeMs ?? lifetimeOf(await store.findClient(clientId))
  const expiresAt = lives === undefined ? null : new Date(now.getTime() + lives)
  const rotation = { clientId, secretHash, until, expiresAt, by, now }
  const answer = await store.rotateClientSecret(rotation)
  return answer === 'applied'
    ? ok({ secret, previousUntil: until, expiresAt })
    : err({ reason: FAILURES[answer] })
}

/** For how long the secret that a client has was made to count, in milliseconds. */
function lifetimeOf(client: ApiClient | null): number | undefined {
  if (client === null || client.secretExpiresAt === null) return undefined
  const since = client.secretChangedAt ?? client.createdAt
  return client.secretExpiresAt.getTime() - since.getTime()
}
