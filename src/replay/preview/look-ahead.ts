import type { VerdictReason } from '../../access/verdict.ts'
import type { JudgedBoth, JudgedDevice } from './judge.ts'
import type { Moments } from './moments.ts'

/** A moment at which something ends for a device that had it before, and why. */
export type Ending = { readonly at: number; readonly reasons: readonly VerdictReason[] }

export type Ahead = {
  /** When it is denied by the candidate that allows it at first. */
  readonly denied: Ending | undefined
  /** When it loses what it would have without the candidate; not at first. */
  readonly lost: Ending | undefined
  /** More ends for it than are looked at, so that what comes after is not known. */
  readonly isCut: boolean
}

const NOTHING: Ahead = { denied: undefined, lost: undefined, isCut: false }
/** More than clauses can give graces: no device is looked at for ever. */
const MOST_ENDS = 1_024

/**
 * Goes with a device from one time to the next at which its verdicts can change: a moment of the plan,
 * or the end of something that relieves it, before or after, and what `moments.steps` adds to such an end. A
 * device for which there is none is looked at once; every moment of the plan is come to, unless nothing is left to find.
 */
export function lookAhead(device: JudgedDevice, first: JudgedBoth, moments: Moments): Ahead {
  const ends = new Set(endsOf(first))
  if (moments.times.length === 1 && ends.size === 0) return NOTHING
  const isAllowed = first.after.verdict.verdict === 'trusted'
  const isLost = isLoss(first)
  let denied: Ending | undefined
  let lost: Ending | undefined
  let [at = 0] = moments.times
  let passed = 0
  let ended: number | undefined
  for (;;) {
    if ((isLost || lost !== undefined) && (!isAllowed || denied !== undefined)) break
    if (ends.size > MOST_ENDS) return { denied, lost, isCut: true }
    while ((moments.times[passed] ?? Infinity) <= at) passed += 1
    const end = nextOf(ends, at)
    // What goes by the hour may deny only some hours after a grace has ended.
    const again = ended === undefined ? Infinity : nextStep(moments.steps, ended, at)
    at = Math.min(moments.times[passed] ?? Infinity, end, again)
    if (at > moments.end || at === Infinity) break
    if (at === end) ended = at
    const step = device.at(at)
    for (const later of endsOf(step)) ends.add(later)
    const { reasons } = step.after
    if (isAllowed && denied === undefined && reasons.length > 0) denied = { at, reasons }
    if (!isLost && lost === undefined && isLoss(step)) lost = { at, reasons }
  }
  return { denied, lost, isCut: false }
}

export function isLoss({ before, after }: JudgedBoth): boolean {
  return before.verdict.verdict === 'trusted' && after.verdict.verdict !== 'trusted'
}

function endsOf({ before, after }: JudgedBoth): readonly number[] {
  return before.ends.length === 0 ? after.ends : [...before.ends, ...after.ends]
}

function nextOf(times: Iterable<number>, at: number): number {
  let next = Infinity
  for (const time of times) if (time > at && time < next) next = time
  return next
}

function nextStep({ next, spanMs }: Moments['steps'], begin: number, at: number): number {
  const step = at < begin + spanMs ? next(at) : Infinity
  return step <= begin + spanMs ? step : Infinity
}
