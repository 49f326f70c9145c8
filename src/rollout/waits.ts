import { nextStep, type Rollout, type StayReason, type WorkingHours } from './rollout.ts'

/** What an open rollout waits for; `next_check` where nothing but the next round is in the way. */
export type Wait = {
  readonly why: StayReason | 'next_check'
  /** When that is over, if the clock ends it. */
  readonly until: Date | null
}

const HOUR_MS = 3_600_000

export function waitOf(rollout: Rollout, now: Date): Wait {
  const step = nextStep(rollout, { health: rollout.health, now })
  if (step.kind !== 'stay') return { why: 'next_check', until: null }
  const { why } = step
  const { plan, since } = rollout
  if (why === 'baking') return { why, until: new Date(since.getTime() + plan.bakeSeconds * 1000) }
  if (why === 'outside_hours' && plan.hours !== null) {
    return { why, until: nextOpening(plan.hours, now) }
  }
  return { why, until: null }
}

/** The beginning of the next working hours, in UTC as they are. */
function nextOpening({ from, days }: WorkingHours, now: Date): Date | null {
  for (let ahead = 0; ahead <= 7; ahead++) {
    const day = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + ahead)
    const weekday = new Date(day).getUTCDay()
    const opens = day + from * HOUR_MS
    if (opens > now.getTime() && days.includes(weekday === 0 ? 7 : weekday)) return new Date(opens)
  }
  return null
}
