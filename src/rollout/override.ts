import type { DocumentHash } from '../base/document-hash.ts'

/** An exception that an administrator made, until it expires or is ended. */
export type Override = {
  /** `ovr_…` */
  readonly overrideId: string
  readonly target: OverrideTarget
  readonly reason: string
  readonly author: string
  readonly createdAt: Date
  readonly expiresAt: Date
} & OverrideAction

export type OverrideTarget = { readonly kind: 'device' | 'label'; readonly name: string }

export type OverrideAction =
  /** Another version than the one in force decides. */
  | {
      readonly action: 'pin'
      readonly kind: 'policy' | 'reference-values'
      readonly hash: DocumentHash
    }
  /** The device clauses do not count, nor does the age of the evidence. A quarantine does. */
  | { readonly action: 'allow' }

/** Every process keeps all of them in memory. */
export const MAX_OVERRIDES = 1000

/** The longest time for which one may be made. */
export const MAX_OVERRIDE_MS = 90 * 86_400_000

/** A device goes before a label, then the newest first. */
export function findOverride<T extends Override>(
  overrides: readonly T[],
  device: { readonly deviceId: string; readonly labels: readonly string[] },
  now: Date,
): T | undefined {
  let found: T | undefined
  for (const one of overrides) {
    if (one.expiresAt.getTime() <= now.getTime() || !isTarget(one.target, device)) continue
    if (found === undefined || goesBefore(one, found)) found = one
  }
  return found
}

/** All that are in force for a device, by its id or a label of it. */
export function overridesOf<T extends Override>(
  overrides: readonly T[],
  device: { readonly deviceId: string; readonly labels: readonly string[] },
  now: Date,
): readonly T[] {
  return overrides.filter(({ expiresAt, target }) => {
    return expiresAt.getTime() > now.getTime() && isTarget(target, device)
  })
}

function isTarget(
  { kind, name }: OverrideTarget,
  { deviceId, labels }: { readonly deviceId: string; readonly labels: readonly string[] },
): boolean {
  return kind === 'device' ? name === deviceId : labels.includes(name)
}

function goesBefore(one: Override, other: Override): boolean {
  if (one.target.kind !== other.target.kind) return one.target.kind === 'device'
  const later = one.createdAt.getTime() - other.createdAt.getTime()
  return later > 0 || (later === 0 && one.overrideId > other.overrideId)
}
