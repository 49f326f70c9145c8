import { err, ok, type Result } from '../../base/result.ts'
import {
  MAX_OVERRIDE_MS,
  type Override,
  type OverrideAction,
  type OverrideTarget,
} from '../../rollout/override.ts'
import type { Store } from '../../store/store.ts'
import { findUsable, type StoredDocumentFailure } from './check-document.ts'
import { newControlId } from './release.ts'

export const OVERRIDE_REASONS = [
  'expiry_refused',
  'device_not_found',
  'too_many_overrides',
] as const

export type OverrideFailure =
  | { readonly reason: (typeof OVERRIDE_REASONS)[number] }
  | StoredDocumentFailure

/**
 * Makes an exception that ends by itself. What a pin names must be able to decide: it would else be
 * a fault with every question of the device.
 */
export async function makeOverride(
  store: Pick<Store, 'createOverride' | 'document'>,
  input: {
    readonly target: OverrideTarget
    readonly what: OverrideAction
    readonly reason: string
    readonly author: string
    readonly expiresAt: Date
    readonly now: Date
    readonly random: (length: number) => Uint8Array
  },
): Promise<Result<Override, OverrideFailure>> {
  const { random, ...made } = input
  const { target, what, reason, author, expiresAt, now } = made
  const lifetimeMs = expiresAt.getTime() - now.getTime()
  if (!(lifetimeMs > 0 && lifetimeMs <= MAX_OVERRIDE_MS)) return err({ reason: 'expiry_refused' })
  if (what.action === 'pin') {
    const usable = await findUsable(store, what.kind, what.hash)
    if (!usable.ok) return usable
  }
  const overrideId = newControlId('ovr', random)
  switch (await store.createOverride({ ...made, overrideId })) {
    case 'applied':
      return ok({ overrideId, target, ...what, reason, author, createdAt: now, expiresAt })
    case 'too_many':
      return err({ reason: 'too_many_overrides' })
    case 'device_unknown':
      return err({ reason: 'device_not_found' })
    case 'document_unknown':
      return err({ reason: 'document_not_found' })
  }
}

/** Those that nobody ended and that have not expired, the newest first. */
export async function overridesInForce(
  store: Pick<Store, 'listOverrides'>,
  now: Date,
): Promise<readonly Override[]> {
  const all = await store.listOverrides(MOST_LISTED)
  return all.filter(({ expiresAt }) => expiresAt.getTime() > now.getTime())
}

/** Expired ones that nobody ended are among them. */
const MOST_LISTED = 10_000
