import { err, ok, type Result } from '../../base/result.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
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
import {
  countOverrideLosses,
  type OverrideLosses,
  type OverrideLossesDependencies,
} from './override-losses.ts'
import type { SecondAdministrator, SecondAwaited } from './second-administrator.ts'

/** An exception as somebody asks for it: `hash` may be anything. */
export type OverrideRequest =
  | { readonly action: 'pin'; readonly kind: DocumentKind; readonly hash: string }
  | { readonly action: 'allow' }

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

/** What came of an exception, and whom it denies. */
export type Made = {
  /** Absent where it was only asked what it would do. */
  readonly override: Override | undefined
  readonly losses: OverrideLosses
}

/**
 * Makes an exception that ends by itself, after it has counted the devices that it takes access from. What a
 * pin names must be able to decide: it would else be a fault with every question of the device.
 */
export async function makeOverride(
  dependencies: {
    readonly store: Pick<Store, 'createOverride' | 'document'>
    readonly counting: OverrideLossesDependencies
    readonly clock: () => Date
    readonly random: (length: number) => Uint8Array
  },
  input: {
    readonly target: OverrideTarget
    readonly what: OverrideRequest
    readonly reason: string
    readonly author: string
    readonly expiresAt: Date
    readonly second: SecondAdministrator
    /** Only counts: nothing is made, and no second administrator is asked. */
    readonly isDryRun: boolean
  },
): Promise<Result<Made, OverrideFailure>> {
  const { store, counting, clock, random } = dependencies
  const { second, what: asked, isDryRun, ...made } = input
  const { target, expiresAt } = made
  const waits = isDryRun ? undefined : await second.ask()
  if (waits !== undefined) return err(waits)
  const now = clock()
  const lifetimeMs = expiresAt.getTime() - now.getTime()
  if (!(lifetimeMs > 0 && lifetimeMs <= MAX_OVERRIDE_MS)) return err({ reason: 'expiry_refused' })
  const found = await findPinned(store, asked)
  if (!found.ok) return found
  const what = found.value
  const overrideId = newControlId('ovr', random)
  const override: Override = { ...made, ...what, overrideId, createdAt: now }
  const losses = await countOverrideLosses(counting, { made: override })
  if (isDryRun) {
    const isKnown = target.kind === 'label' || losses.lookedAt > 0
    return isKnown ? ok({ override: undefined, losses }) : err({ reason: 'device_not_found' })
  }
  switch (await store.createOverride({ ...made, what, overrideId, now })) {
    case 'applied':
      return ok({ override, losses })
    case 'too_many':
      return err({ reason: 'too_many_overrides' })
    case 'device_unknown':
      return err({ reason: 'device_not_found' })
    case 'document_unknown':
      return err({ reason: 'document_not_found' })
  }
}

async function findPinned(
  store: Pick<Store, 'document'>,
  asked: OverrideRequest,
): Promise<Result<OverrideAction, StoredDocumentFailure>> {
  if (asked.action === 'allow') return ok(asked)
  const usable = await findUsable(store, asked.kind, asked.hash)
  return usable.ok ? ok({ ...asked, hash: usable.value.compiled.hash }) : usable
}

/** What came of the end of an exception, and whom it denies. */
export type Ended = { readonly changed: boolean; readonly losses: OverrideLosses }

/**
 * Ends an exception before its time, after it has counted the devices that this takes access from. One that
 * has ended already stays as it is.
 */
export async function endOverride(
  {
    store,
    counting,
  }: {
    readonly store: Pick<Store, 'endOverride' | 'listOverrides'>
    readonly counting: OverrideLossesDependencies
  },
  { isDryRun, ...end }: Parameters<Store['endOverride']>[0] & { readonly isDryRun: boolean },
): Promise<Result<Ended, { readonly reason: 'override_not_found' }>> {
  const losses = await countOverrideLosses(counting, { ended: end.overrideId })
  if (isDryRun) {
    const open = await overridesInForce(store, end.now)
    const isOpen = open.some(({ overrideId }) => overrideId === end.overrideId)
    return isOpen ? ok({ changed: false, losses }) : err({ reason: 'override_not_found' })
  }
  const answer = await store.endOverride(end)
  if (answer === 'override_unknown') return err({ reason: 'override_not_found' })
  return ok({ changed: answer === 'applied', losses })
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
