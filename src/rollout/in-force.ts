import type { DocumentHash } from '../base/document-hash.ts'
import type { Hold } from './hold.ts'
import { findOverride, type Override, overridesOf } from './override.ts'
import { enforcedSince, isEnforcing, isInStage, isOpen, type Rollout } from './rollout.ts'

/** What steers decisions beside trust records: which documents are in force for whom, and what else counts. */
export type Control = {
  /** Moves with every change of anything else in here. */
  readonly revision: number
  readonly active: readonly ActivePointer[]
  /** Running and paused ones: at most one. */
  readonly rollouts: readonly Rollout[]
  /** Of those that nobody ended; whether one has expired is for the reader to say. */
  readonly overrides: readonly Override[]
  readonly holds: readonly Hold[]
}

export type ActivePointer = {
  readonly kind: DocumentKind
  readonly hash: DocumentHash
  readonly activatedAt: Date
}

export type DocumentKind = 'policy' | 'reference-values'

/** Who is steered; of a device that nobody knows yet only the ring may be known. */
export type SteeredDevice = {
  readonly deviceId: string
  readonly labels: readonly string[]
  readonly ring: number
}

/** The version of one kind that decides for a device, and since when. */
export type Version = { readonly hash: DocumentHash; readonly since: Date }

/**
 * A pin goes before a rollout, a rollout that enforces before the active document. Without a
 * device it is the active one. A version out of a rollout counts from when the first stage that holds
 * the device was entered.
 */
export function versionFor(
  control: Control,
  kind: DocumentKind,
  device: SteeredDevice | null,
  now: Date,
): Version | undefined {
  if (device !== null) {
    const pins = control.overrides.filter((one) => one.action === 'pin' && one.kind === kind)
    const pin = findOverride(pins, device, now)
    if (pin?.action === 'pin') return { hash: pin.hash, since: pin.createdAt }
    const rollout = control.rollouts.find((one) => one.kind === kind && isEnforcing(one))
    if (rollout !== undefined && isInStage(rollout, device)) {
      return { hash: rollout.to, since: enforcedSince(rollout, device) }
    }
  }
  const active = control.active.find((pointer) => pointer.kind === kind)
  return active && { hash: active.hash, since: active.activatedAt }
}

/** Open rollouts whose stage the device is in. */
export function trialsOf(control: Control, device: SteeredDevice): readonly Rollout[] {
  return control.rollouts.filter((one) => isOpen(one.state) && isInStage(one, device))
}

/** Until when administrators allow the device, if one does: the longest of their allowances, its own or a label's. */
export function allowedUntil(control: Control, device: SteeredDevice, now: Date): Date | null {
  return lastEnd(control, { device, now, isMeant: ({ action }) => action === 'allow' })
}

/** Until when pins let other versions of a kind decide for the device, whatever comes into force. */
export function pinnedUntil(
  control: Control,
  { kind, device, now }: { kind: DocumentKind; device: SteeredDevice; now: Date },
): Date | null {
  const isMeant = (one: Override) => one.action === 'pin' && one.kind === kind
  return lastEnd(control, { device, now, isMeant })
}

function lastEnd(
  { overrides }: Control,
  about: {
    readonly device: SteeredDevice
    readonly now: Date
    readonly isMeant: (override: Override) => boolean
  },
): Date | null {
  if (overrides.length === 0) return null
  const { device, now, isMeant } = about
  const ends = overridesOf(overrides.filter(isMeant), device, now).map(({ expiresAt }) => expiresAt)
  return ends.reduce<Date | null>((last, end) => (last !== null && last > end ? last : end), null)
}

/** Every version of a kind that may decide for some device. */
export function versionsInForce(control: Control, kind: DocumentKind): readonly DocumentHash[] {
  const active = control.active.filter((one) => one.kind === kind).map(({ hash }) => hash)
  const rollouts = control.rollouts
    .filter((one) => one.kind === kind)
    .flatMap(({ from, to }) => [from, to])
  const pins = control.overrides.flatMap((one) => {
    return one.action === 'pin' && one.kind === kind ? [one.hash] : []
  })
  return [...new Set([...active, ...rollouts, ...pins])]
}

/** Whether who is steered how can depend on labels, which only the record of a device tells. */
export function dependsOnLabels({ overrides, rollouts }: Control): boolean {
  return (
    overrides.some(({ target }) => target.kind === 'label') ||
    rollouts.some(({ plan }) => plan.stages.some(({ labels }) => labels.length > 0))
  )
}
