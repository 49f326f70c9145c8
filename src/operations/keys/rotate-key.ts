import { err, ok, type Result } from '../../base/result.ts'
import { keyState } from '../../keys/key-times.ts'
import type { PurposeKeys } from '../../keys/sealing.ts'
import { createSigningKey } from '../../keys/signing-key-material.ts'
import type { SigningKeyUse } from '../../store/schema/system-schema.ts'
import type { StoredSigningKey, StoredSigningKeys } from '../../store/system/stored-signing-keys.ts'
import { announcedMs, CLOCKS_MS, COUNTS_MS, MOST_LIVING_KEYS } from './key-lifetimes.ts'

export const ROTATION_REASONS = [
  /** The newest key is announced and does not sign yet. */
  'rotation_under_way',
  /** Somebody else has just changed the keys of this purpose. */
  'rotation_superseded',
  'signing_keys_too_many',
] as const

export type RotationFailure =
  | { readonly reason: 'rotation_under_way'; readonly kid: string; readonly signsFrom: Date }
  | { readonly reason: 'rotation_superseded' }
  | { readonly reason: 'signing_keys_too_many'; readonly most: number }

/** What new keys are made with. */
export type KeyMaking = {
  /** URL of our issuer: the name on the certificates. */
  readonly issuer: string
  readonly sealingKeys: PurposeKeys
}

export type RotateDependencies = KeyMaking & {
  readonly store: Pick<StoredSigningKeys, 'listSigningKeys' | 'publishSigningKey'>
  readonly clock: () => Date
}

/** A key that was announced, and the one that signs until it does. */
export type Rotation = {
  readonly use: SigningKeyUse
  readonly kid: string
  readonly signsFrom: Date
  readonly previousKid: string | undefined
  readonly previousAcceptedUntil: Date
}

/**
 * Announces the next key of a purpose. What is written is one statement, with all that is to come: from
 * here on the clock moves the new key to signing, and the one before to accepted and to ended. So there
 * is nothing that a process could leave undone, and of any number that rotate at once one does.
 *
 * A key that was announced has to sign before it can be followed, so that none is passed over that
 * somebody may have signed with.
 */
export async function rotateKey(
  dependencies: RotateDependencies,
  { use, by }: { readonly use: SigningKeyUse; readonly by: string },
): Promise<Result<Rotation, RotationFailure>> {
  const { store, clock } = dependencies
  const now = clock()
  const keys = await keysOf(store, use)
  const newest = newestOf(keys)
  if (newest !== undefined && now < newest.signsFrom) return underWay(newest)
  if (keys.filter((key) => keyState(key, now) !== 'ended').length >= MOST_LIVING_KEYS) {
    return err({ reason: 'signing_keys_too_many', most: MOST_LIVING_KEYS })
  }
  const signsFrom = new Date(now.getTime() + announcedMs(use))
  const previousAcceptedUntil = new Date(signsFrom.getTime() + COUNTS_MS[use] + CLOCKS_MS)
  const key = await createSigningKey({ ...dependencies, use, signsFrom, now })
  const generation = 1 + Math.max(0, ...keys.map((one) => one.generation))
  const change = { key, generation, previousAcceptedUntil, by, now }
  if ((await store.publishSigningKey(change)) === 'applied') {
    const { kid } = key
    return ok({ use, kid, signsFrom, previousKid: newest?.kid, previousAcceptedUntil })
  }
  const since = newestOf(await keysOf(store, use))
  return since !== undefined && now < since.signsFrom
    ? underWay(since)
    : err({ reason: 'rotation_superseded' })
}

/** Of the keys of a use the last one that nobody ended: it signs, or is to sign next. */
export function newestOf(keys: readonly StoredSigningKey[]): StoredSigningKey | undefined {
  return keys.findLast((key) => key.retiredAt === null)
}

/** The rows of a use, oldest first. */
export async function keysOf(
  store: Pick<StoredSigningKeys, 'listSigningKeys'>,
  use: SigningKeyUse,
): Promise<readonly StoredSigningKey[]> {
  return (await store.listSigningKeys()).filter((key) => key.use === use)
}

function underWay({ kid, signsFrom }: StoredSigningKey): Result<never, RotationFailure> {
  return err({ reason: 'rotation_under_way', kid, signsFrom })
}
