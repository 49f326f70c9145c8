import { assess } from '../../access/assess.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import { visitInSlices } from '../../base/slices.ts'
import type { Control } from '../../rollout/in-force.ts'
import type { Override } from '../../rollout/override.ts'
import { readFleet, trustRecordOf } from '../../store/devices/fleet-reads.ts'
import type { Store } from '../../store/store.ts'
import type { RulesInForce, RulesReader } from './rules-in-force.ts'

/** Devices that a change of an exception takes access from, by what is on record of them. */
export type OverrideLosses = {
  /** Trusted now, and not after it. */
  readonly devices: number
  readonly lookedAt: number
  /** `false`: the exception is for more devices than were looked at. */
  readonly isWhole: boolean
}

export type OverrideLossesDependencies = {
  readonly store: Pick<Store, 'inForce' | 'fleetPage' | 'trustRecord'>
  readonly rules: Pick<RulesReader, 'at' | 'supposing'>
  readonly clock: () => Date
}

/** An exception that is made, or one that is ended. */
export type OverrideChange = { readonly made: Override } | { readonly ended: string }

/** Exceptions are for few devices; of more the first so many are looked at, within a part of a second. */
export const MOST_LOOKED_AT = 5_000

const NOBODY: OverrideLosses = { devices: 0, lookedAt: 0, isWhole: true }

/**
 * Counts whom a pin, an allowance or the end of one would deny that is allowed now: the devices that it is for are
 * assessed as a decision would, with and without the change. Whoever ends what there is not denies nobody.
 */
export async function countOverrideLosses(
  { store, rules, clock }: OverrideLossesDependencies,
  change: OverrideChange,
): Promise<OverrideLosses> {
  const rulesInForce = await rules.at(await store.inForce())
  const { control } = rulesInForce
  const changed = 'made' in change ? change.made : findOverride(control, change.ended)
  if (changed === undefined) return NOBODY
  const others = control.overrides.filter((one) => one !== changed)
  const overrides = 'made' in change ? [...others, changed] : others
  const after = await rules.supposing({ ...control, overrides })
  const now = clock()
  let [devices, lookedAt] = [0, 0]
  for await (const batch of readTarget(store, changed)) {
    const within = batch.slice(0, MOST_LOOKED_AT - lookedAt)
    await visitInSlices(within, (record) => {
      if (isTrusted(record, rulesInForce, now) && !isTrusted(record, after, now)) devices += 1
    })
    lookedAt += within.length
    if (within.length < batch.length) return { devices, lookedAt, isWhole: false }
  }
  return { devices, lookedAt, isWhole: true }
}

function findOverride({ overrides }: Control, overrideId: string): Override | undefined {
  return overrides.find((one) => one.overrideId === overrideId)
}

async function* readTarget(
  store: OverrideLossesDependencies['store'],
  { target: { kind, name } }: Override,
): AsyncGenerator<readonly TrustRecord[]> {
  if (kind === 'device') {
    const { record } = await store.trustRecord(name)
    if (record !== null) yield [record]
    return
  }
  const stage = { percent: 0, labels: [name] }
  for await (const batch of readFleet(store, { stage })) yield batch.map(trustRecordOf)
}

function isTrusted(record: TrustRecord, { rulesFor }: RulesInForce, now: Date): boolean {
  const { rules, reliefs } = rulesFor(record, now)
  return assess({ ...rules, record, reliefs, now }).verdict === 'trusted'
}
