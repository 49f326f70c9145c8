import { isWithin, nextStep, type Rollout, type StayReason, type WorkingHours } from './rollout.ts'

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

/**
 * When a running rollout is done, if every stage is healthy and nothing else is waited for than time;
 * undefined where somebody has to promote it or let it go on, or it is over. Checks take their time besides.
 */
export function earliestEnd(
  { state, plan, pass, stage, since }: Rollout,
  now: Date,
): Date | undefined {
  if (state !== 'running' || plan.promotion === 'by_hand') return undefined
  const left = plan.stages.length - stage + (pass === 'audit' ? plan.stages.length : 0)
  let end = since
  for (let at = 0; at < left; at++) {
    end = new Date(end.getTime() + plan.bakeSeconds * 1000)
    // This stage may have been healthy for longer than it had to.
    if (end < now) end = now
    if (plan.hours !== null && !isWithin(plan.hours, end)) {
      const opens = nextOpening(plan.hours, end)
      if (opens === null) return undefined
      end = opens
    }
  }
  return end
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
