import { shareOf } from '../preview/clause-changes.ts'
import type { Losses } from './summary.ts'
import { listSteps } from './timeline.ts'

/** Counts losses by step. */
export type CourseOfLosses = {
  /** Milliseconds of the epoch, not after the end of the outage. */
  readonly add: (at: number) => void
  /** How many were lost up to each step. */
  readonly byStep: () => readonly number[]
  readonly summary: (trusted: number) => Losses
}

export function createCourseOfLosses(outage: {
  readonly from: Date
  readonly until: Date
  readonly stepMs: number
}): CourseOfLosses {
  const steps = listSteps(outage)
  const counts = new Array<number>(steps.length).fill(0)
  let first = Infinity
  let devices = 0
  const byStep = () => {
    let sum = 0
    return counts.map((count) => {
      sum += count
      return sum
    })
  }
  return {
    add(at) {
      const step = Math.ceil((at - outage.from.getTime()) / outage.stepMs)
      counts[step] = (counts[step] ?? 0) + 1
      first = Math.min(first, at)
      devices += 1
    },
    byStep,
    summary(trusted) {
      const lost = byStep()
      const firstStep = (isReached: (sum: number) => boolean) => {
        const step = trusted === 0 ? undefined : steps[lost.findIndex(isReached)]
        return step === undefined ? null : step.toISOString()
      }
      return {
        devices,
        share: shareOf(devices, trusted),
        first: devices === 0 ? null : new Date(first).toISOString(),
        half_by: firstStep((sum) => sum * 2 >= trusted),
        all_by: firstStep((sum) => sum === trusted),
      }
    },
  }
}
