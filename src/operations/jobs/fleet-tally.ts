import type { Assessment } from '../../access/assess.ts'
import { isStanding } from '../../access/verdict.ts'
import type { FleetCounts } from '../../store/schema/steering-schema.ts'

/** Where a sweep is, and what it has counted until there. */
export type SweepPosition = {
  /** When the cycle began, in milliseconds of the epoch. */
  readonly since: number
  /** The last device that was looked at. */
  readonly after: string
  readonly counts: FleetCounts
}

export const NOTHING_COUNTED: FleetCounts = { verdicts: {}, failing: {} }

/** The same counts and one device more. */
export function countDevice(
  counts: MutableCounts,
  { verdict, reasons, clauseOutcomes }: Assessment,
): void {
  counts.verdicts[verdict] = (counts.verdicts[verdict] ?? 0) + 1
  // What decides before any clause does leaves nothing for clauses to say.
  if (reasons.some(({ code }) => isStanding(code))) return
  for (const { clause, severity, status } of clauseOutcomes) {
    const key = `${severity}:${clause}`
    const isFailing = status === 'fail' || status === 'undecidable'
    counts.failing[key] = (counts.failing[key] ?? 0) + (isFailing ? 1 : 0)
  }
}

export type MutableCounts = {
  readonly verdicts: Record<string, number>
  readonly failing: Record<string, number>
}

export function sumOfCounts(a: FleetCounts, b: FleetCounts): FleetCounts {
  return { verdicts: sum(a.verdicts, b.verdicts), failing: sum(a.failing, b.failing) }
}

function sum(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>) {
  const added = { ...a }
  for (const [key, count] of Object.entries(b)) added[key] = (added[key] ?? 0) + count
  return added
}

/**
 * The position as the lease of the job keeps it. It has no space: versions before this one read the words
 * of a position, and begin their cycle anew from this.
 */
export function writePosition(position: SweepPosition): string {
  return JSON.stringify(position)
}

/** A new cycle from anything but a position of this form. */
export function readPosition(text: string, now: Date): SweepPosition {
  const anew = { since: now.getTime(), after: '', counts: NOTHING_COUNTED }
  if (!text.startsWith('{')) return anew
  const { since, after, counts }: SweepPosition = JSON.parse(text)
  return { since, after, counts }
}
