import type { Documents } from '../../access/assess.ts'
import type { CompiledPolicy } from '../../policy/document/compile.ts'

/** The moments at which clauses and reference values are looked at, in milliseconds of the epoch. */
export type Timeline = {
  /** The last one that is not after `at`, or else the first one. */
  readonly momentOf: (at: number) => number
  /** The first one after `at`; infinite after the last one. */
  readonly nextAfter: (at: number) => number
}

/**
 * A step for each change that the clock alone can bring about: every step where a policy reads the
 * clock, else those by which reference values, or something of `changes`, begin or end. Where
 * nothing depends on time there is one moment, now, and everything is evaluated once.
 *
 * So what clauses and reference values do is told at the step that follows, and not before.
 */
export function createTimeline(input: {
  readonly now: Date
  readonly from: Date
  readonly until: Date
  readonly stepMs: number
  /** All that decide for some device. */
  readonly rules: readonly Documents[]
  readonly changes: readonly Date[]
}): Timeline {
  const { stepMs, rules } = input
  const now = input.now.getTime()
  const steps = listSteps(input).map((step) => step.getTime())
  const found = new Set([now])
  if (rules.some(({ policy }) => readsClock(policy))) for (const step of steps) found.add(step)
  const [first = now] = steps
  const changes = [...input.changes.map((change) => change.getTime()), ...boundariesOf(rules)]
  for (const change of changes) {
    const step = steps[Math.max(0, Math.ceil((change - first) / stepMs))] ?? steps.at(-1)
    if (change > now && change <= input.until.getTime() && step !== undefined) found.add(step)
  }
  const moments = [...found].sort((a, b) => a - b)
  return {
    momentOf: (at) => moments[countUpTo(moments, at) - 1] ?? now,
    nextAfter: (at) => moments[countUpTo(moments, at)] ?? Infinity,
  }
}

/** From the beginning of an outage to its end, which may be less than a step after the last one. */
export function listSteps(input: {
  readonly from: Date
  readonly until: Date
  readonly stepMs: number
}): readonly Date[] {
  const from = input.from.getTime()
  const until = input.until.getTime()
  const last = Math.ceil((until - from) / input.stepMs)
  return Array.from({ length: last + 1 }, (_, step) => {
    return new Date(Math.min(until, from + step * input.stepMs))
  })
}

function readsClock({ deviceClauses }: CompiledPolicy): boolean {
  return deviceClauses.some(({ severity, when, require }) => {
    return severity === 'enforce' && (require.roots.has('now') || when?.roots.has('now') === true)
  })
}

function boundariesOf(rules: readonly Documents[]): readonly number[] {
  return rules.flatMap(({ policy, referenceValues: { dates } }) => {
    const ofClauses = policy.deviceClauses.flatMap(({ instants }) => instants)
    return [...ofClauses, ...dates.appraisal, ...dates.origin]
  })
}

function countUpTo(moments: readonly number[], at: number): number {
  let low = 0
  let high = moments.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((moments[middle] ?? Infinity) <= at) low = middle + 1
    else high = middle
  }
  return low
}
