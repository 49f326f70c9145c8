import type { Documents } from '../../access/assess.ts'
import { standingOf } from '../../access/verdict.ts'
import { keepExample } from '../preview/clause-changes.ts'
import { type Attested, isAttested, type PreviewRecord } from '../preview/compare.ts'
import { type BothReliefs, createJudge } from '../preview/judge.ts'
import { type Ending, lookAhead } from '../preview/look-ahead.ts'
import { type Moments, planMoments } from '../preview/moments.ts'

/** How many days ahead a forecast counts devices, ascending. */
export const FORECAST_DAYS = [7, 30, 90] as const

const DAY_MS = 86_400_000
const HORIZON_MS = Math.max(...FORECAST_DAYS) * DAY_MS

/** A root that ends, under which devices attest: no document says so, but its certificate does. */
export const ANCHOR_ENDED = 'trust_anchor_ended'

/** What is counted so far; plain JSON, so that whoever goes through a fleet in parts can put it down. */
export type ForecastCounts = {
  /** Devices that were looked at. */
  readonly devices: number
  /** Of these the ones that are allowed now: only they have something to lose. */
  readonly allowed: number
  /** Of the allowed ones those that fail within each of `FORECAST_DAYS`: each count has those before in it. */
  readonly failing: readonly number[]
  /** The same by what they fail: a clause, a reason of the origin, or `ANCHOR_ENDED`. */
  readonly causes: Readonly<Record<string, ForecastCause>>
}

export type ForecastCause = {
  readonly failing: readonly number[]
  /** When the first device fails, in milliseconds of the epoch. */
  readonly first: number
  /** Device ids that stand for the others. */
  readonly examples: readonly string[]
}

export const NOTHING_FORECAST: ForecastCounts = {
  devices: 0,
  allowed: 0,
  failing: FORECAST_DAYS.map(() => 0),
  causes: {},
}

/** Documents that decide for a device now, and those that will once its pins have ended. */
export type ForecastRules = {
  readonly inForce: Documents
  readonly later: Documents
  readonly reliefs: BothReliefs
}

/**
 * Asks of each device that is allowed at `now` when it will not be any more, while it goes on attesting the same and
 * nobody changes anything: entries of the reference values end, roots expire, clauses begin to deny, graces,
 * allowances and holds run out. Evidence that ends is none of that: the device attests again.
 *
 * Of roots it knows what `anchorEnds` says (milliseconds of the epoch by fingerprint), and of entries of the
 * reference values their own end. What lies between a root and a key was not recorded, so that the end of an
 * intermediate is not foreseen.
 */
export function createForecast(input: {
  readonly now: Date
  readonly rulesFor: (record: Attested) => ForecastRules
  readonly anchorEnds: ReadonlyMap<string, number>
  /** What was counted before, of a fleet that is gone through in parts. */
  readonly counts?: ForecastCounts | undefined
}): { readonly add: (record: PreviewRecord) => void; readonly counts: () => ForecastCounts } {
  const { now, rulesFor, anchorEnds } = input
  const tally = createForecastTally(now, input.counts ?? NOTHING_FORECAST)
  const judges = createJudges(now)
  return {
    add(record) {
      tally.look()
      if (standingOf(record, now) !== undefined || !isAttested(record)) return
      const { judge, moments } = judges(rulesFor(record))
      const device = judge.begin(record)
      const first = device.at(now.getTime())
      if (first.after.verdict.verdict !== 'trusted') return
      const { denied } = lookAhead(device, first, moments)
      tally.allow(record.deviceId, earliest(denied, anchorEnds, record))
    },
    counts: tally.counts,
  }
}

type Failing = { readonly at: number; readonly causes: readonly string[] }

function earliest(
  denied: Ending | undefined,
  anchorEnds: ReadonlyMap<string, number>,
  { attestation }: Attested,
): Failing | undefined {
  const { aikTrustAnchor } = attestation.claims
  const end = aikTrustAnchor === undefined ? undefined : anchorEnds.get(aikTrustAnchor)
  if (end !== undefined && (denied === undefined || end < denied.at)) {
    return { at: end, causes: [ANCHOR_ENDED] }
  }
  if (denied === undefined) return undefined
  const causes = denied.reasons.map((reason) => ('clause' in reason ? reason.clause : reason.code))
  return { at: denied.at, causes: [...new Set(causes)] }
}

type Judging = { readonly judge: ReturnType<typeof createJudge>; readonly moments: Moments }

/** One for each pair of documents, of which a deployment has few; all of them share how far they look. */
function createJudges(now: Date): (rules: ForecastRules) => Judging {
  const made = new Map<string, Judging>()
  let reliefs: BothReliefs | undefined
  return ({ inForce, later, reliefs: both }) => {
    reliefs = both
    const key = [inForce, later].map(hashesOf).join(' ')
    const known = made.get(key)
    if (known !== undefined) return known
    const compared = { inForce, candidate: later }
    const moments = planMoments({ ...compared, now, horizonMs: HORIZON_MS })
    const reliefsOf = () => {
      if (reliefs === undefined) throw new TypeError('no device is looked at')
      return reliefs
    }
    const judging = { judge: createJudge({ ...compared, moments, reliefsOf }), moments }
    made.set(key, judging)
    return judging
  }
}

function hashesOf({ policy, referenceValues }: Documents): string {
  return `${policy.hash} ${referenceValues.hash}`
}

function createForecastTally(now: Date, before: ForecastCounts) {
  const ends = FORECAST_DAYS.map((days) => now.getTime() + days * DAY_MS)
  const failing = [...before.failing]
  const causes = new Map(
    Object.entries(before.causes).map(([cause, one]) => [
      cause,
      { ...one, failing: [...one.failing], examples: [...one.examples] },
    ]),
  )
  let { devices, allowed } = before
  const addTo = (counts: number[], at: number) => {
    for (const [index, end] of ends.entries()) {
      if (at <= end) counts[index] = (counts[index] ?? 0) + 1
    }
  }
  return {
    look() {
      devices += 1
    },
    allow(deviceId: string, fails: Failing | undefined) {
      allowed += 1
      if (fails === undefined || fails.at > now.getTime() + HORIZON_MS) return
      addTo(failing, fails.at)
      for (const name of fails.causes) {
        const cause = causes.get(name) ?? {
          failing: ends.map(() => 0),
          first: fails.at,
          examples: [],
        }
        causes.set(name, { ...cause, first: Math.min(cause.first, fails.at) })
        addTo(cause.failing, fails.at)
        keepExample(cause.examples, deviceId)
      }
    },
    counts: (): ForecastCounts => ({
      ...{ devices, allowed, failing: [...failing] },
      causes: Object.fromEntries(causes),
    }),
  }
}
