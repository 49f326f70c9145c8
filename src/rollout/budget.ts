/** So many devices that lose something at a time that is still to come: ISO 8601. */
export type LaterLoss = { readonly at: string; readonly devices: number }

/**
 * What may be lost before a rollout halts: more devices than either member says is too much. What was
 * accepted to be lost later adds to it from its time on. Until then it lets no device be denied.
 */
export type RolloutBudget = Allowance & {
  /** The earliest first; absent in rollouts of versions before this, and where nothing was. */
  readonly later?: readonly (Allowance & { readonly at: string })[]
}

export type Allowance = {
  /** Devices that the old document allows and the new one denies. */
  readonly devices: number
  /** The same as a share of the stage's devices, 0 to 1. */
  readonly share: number
}

/** What a check found that would be lost. */
export type Losses = {
  /** Devices, those that lose it later among them. */
  readonly newlyDenied: number
  /** Devices that were looked at. */
  readonly compared: number
  /** Of the newly denied, those that lose it later: the earliest first. */
  readonly later?: readonly LaterLoss[]
}

/** One device of three is a third: shares of a handful of devices say nothing. */
const MIN_FOR_SHARE = 100

/** What may be lost at a time. */
export function budgetAt({ devices, share, later = [] }: RolloutBudget, time: Date): Allowance {
  const reached = later.filter(({ at }) => new Date(at) <= time)
  return {
    devices: reached.reduce((sum, one) => sum + one.devices, devices),
    share: Math.min(
      1,
      reached.reduce((sum, one) => sum + one.share, share),
    ),
  }
}

/** When more is lost than the budget bears: `now`, or a time to come; `undefined` for never. */
export function findExcess(
  budget: RolloutBudget,
  { newlyDenied, compared, later = [] }: Losses,
  now: Date,
): Date | undefined {
  let lost = later.reduce((rest, { devices }) => rest - devices, newlyDenied)
  const steps = [{ at: now, devices: 0 }, ...later.map((one) => ({ ...one, at: new Date(one.at) }))]
  for (const { at, devices } of steps) {
    lost += devices
    const time = at > now ? at : now
    if (isMore(budgetAt(budget, time), { lost, compared })) return time
  }
  return undefined
}

/** Whether more is lost than the budget bears, now or later. */
export function exceedsBudget(budget: RolloutBudget, losses: Losses, now: Date): boolean {
  return findExcess(budget, losses, now) !== undefined
}

function isMore(
  { devices, share }: Allowance,
  { lost, compared }: { readonly lost: number; readonly compared: number },
): boolean {
  if (lost > devices) return true
  return compared >= MIN_FOR_SHARE && lost > share * compared
}
