import { err, ok, type Result } from '../../base/result.ts'
import {
  MAX_OVERRIDE_MS,
  type Override,
  type OverrideAction,
  type OverrideTarget,
} from '../../rollout/override.ts'
import type { Store } from '../../store/store.ts'
import type { DeviceFailure } from '../devices/change-standing.ts'
import { findUsable, type StoredDocumentFailure } from './check-document.ts'
import { newControlId } from './control-id.ts'
import type { SecondAdministrator, SecondAwaited } from './second-administrator.ts'

export const OVERRIDE_REASONS = [
  'expiry_refused',
  'too_many_overrides',
  'override_not_found',
] as const

export type OverrideFailure =
  | { readonly reason: (typeof OVERRIDE_REASONS)[number] }
  | DeviceFailure
  | StoredDocumentFailure
  | SecondAwaited

/**
 * Makes an exception that ends by itself. What a pin names must be able to decide: it would else be
 * a fault with every question of the device.
 */
export async function makeOverride(
  dependencies: {
    readonly store: Pick<Store, 'createOverride' | 'document'>
    readonly clock: () => Date
    readonly random: (length: number) => Uint8Array
  },
  input: {
    readonly target: OverrideTarget
    readonly what: OverrideAction
    readonly reason: string
    readonly author: string
    readonly expiresAt: Date
    readonly second: SecondAdministrator
  },
): Promise<Result<Override, OverrideFailure>> {
  const { store, clock, random } = dependencies
  const { second, ...made } = input
  const { target, what, reason, author, expiresAt } = made
  const waits = await second.ask()
  if (waits !== undefined) return err(waits)
  const now = clock()
  const lifetimeMs = expiresAt.getTime() - now.getTime()
  if (!(lifetimeMs > 0 && lifetimeMs <= MAX_OVERRIDE_MS)) return err({ reason: 'expiry_refused' })
  if (what.action === 'pin') {
    const usable = await findUsable(store, what.kind, what.hash)
    if (!usable.ok) return usable
  }
  const overrideId = newControlId('ovr', random)
  switch (await store.createOverride({ ...made, overrideId, now })) {
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

/** Ends an exception before its time. One that has ended already stays as it is. */
export async function endOverride(
  store: Pick<Store, 'endOverride'>,
  end: Parameters<Store['endOverride']>[0],
): Promise<Result<{ readonly changed: boolean }, { readonly reason: 'override_not_found' }>> {
  const answer = await store.endOverride(end)
  if (answer === 'override_unknown') return err({ reason: 'override_not_found' })
  return ok({ changed: answer === 'applied' })
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
