import type { Control } from '../../rollout/in-force.ts'
import { isOpen, type Rollout } from '../../rollout/rollout.ts'
import type { StoredStream } from '../../store/signals/streams.ts'
import type { Store } from '../../store/store.ts'
import type { AuditEntry } from '../../store/system/audit-log.ts'
import type { FleetSummary } from '../../store/system/fleet-summary.ts'
import type { VerifierObservation } from '../../store/system/verifier-observations.ts'
import { judgeVerifier, type VerifierHealth } from '../jobs/judge-outage.ts'
import type { RulesInForce, RulesReader } from '../release/rules-in-force.ts'

/** How far an overview looks back, and how close its counts stand. */
export const OVERVIEW_RANGES = {
  day: { seconds: 86_400, stepSeconds: 1800 },
  week: { seconds: 7 * 86_400, stepSeconds: 7200 },
  month: { seconds: 30 * 86_400, stepSeconds: 28_800 },
  quarter: { seconds: 90 * 86_400, stepSeconds: 86_400 },
} as const

export type OverviewRange = keyof typeof OVERVIEW_RANGES

export type OverviewDependencies = {
  readonly store: Pick<
    Store,
    | 'fleetSummary'
    | 'fleetHistory'
    | 'listDevices'
    | 'listRollouts'
    | 'auditEntries'
    | 'listSecondRequests'
    | 'verifierObservations'
    | 'listStreams'
    | 'countDeliveries'
  >
  readonly rules: Pick<RulesReader, 'recent'>
  /** Whether each configured verifier answers this process. */
  readonly verifierStates: () => Readonly<Record<string, boolean>>
  readonly clock: () => Date
}

/** The deployment at a glance. Nothing here reads the fleet: counts are those of the last sweep. */
export type Overview = {
  readonly now: Date
  /** `null` until a sweep has ended. */
  readonly summary: FleetSummary | null
  /** Counts of the range that was asked for, the oldest first. */
  readonly history: readonly FleetSummary[]
  /** The counts of an hour and of a day ago, as far as there are any. */
  readonly before: {
    readonly hour: FleetSummary | undefined
    readonly day: FleetSummary | undefined
  }
  /** Whether there is any device at all, and whether one waits for an administrator. */
  readonly hasDevices: boolean
  readonly hasPending: boolean
  /** `null` where nothing is in force yet. */
  readonly rules: RulesInForce | null
  readonly rollouts: readonly Rollout[]
  /** Of the last day, the newest first. */
  readonly halted: readonly Rollout[]
  readonly holds: Control['holds']
  readonly changes: readonly AuditEntry[]
  readonly waiting: Awaited<ReturnType<Store['listSecondRequests']>>
  readonly verifiers: readonly VerifierState[]
  readonly streams: readonly StreamState[]
  /** Streams beyond those that are shown. */
  readonly moreStreams: number
}

export type VerifierState = {
  readonly name: string
  /** As this process finds it. */
  readonly answers: boolean
  readonly health: VerifierHealth
}

export type StreamState = {
  readonly stream: StoredStream
  readonly waiting: number
  readonly refused: number
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const CHANGES_SHOWN = 12
const STREAMS_SHOWN = 8
const ROLLOUTS_LOOKED_AT = 20

/** Reads what an overview shows: a few small reads, however large the fleet is. */
export async function readOverview(
  dependencies: OverviewDependencies,
  range: OverviewRange,
): Promise<Overview> {
  const { store, clock, verifierStates } = dependencies
  const now = clock()
  const since = new Date(now.getTime() - DAY_MS)
  const [summary, history, hour, day, any, pending, rollouts, audit, waiting, seen, streams] =
    await Promise.all([
      store.fleetSummary(),
      readRange(store, range, now),
      countsBefore(store, now, HOUR_MS),
      countsBefore(store, now, DAY_MS),
      store.listDevices({ limit: 1 }),
      store.listDevices({ limit: 1, enrolment: 'pending' }),
      store.listRollouts(ROLLOUTS_LOOKED_AT),
      store.auditEntries({ since, until: new Date(now.getTime() + 1), limit: CHANGES_SHOWN }),
      store.listSecondRequests(now),
      store.verifierObservations(now),
      store.listStreams(),
    ])
  // Where no device is, there may be no policy yet either.
  const rules = await inForce(dependencies, any.devices.length > 0)
  return {
    ...{ now, summary, waiting, rules },
    history,
    before: { hour, day },
    hasDevices: any.devices.length > 0,
    hasPending: pending.devices.length > 0,
    rollouts: rollouts.filter(({ state }) => isOpen(state)),
    halted: rollouts.filter(({ state, updatedAt }) => state === 'halted' && updatedAt > since),
    holds: (rules?.control.holds ?? []).filter(({ until }) => until > now),
    changes: audit.entries,
    verifiers: verifiersOf(verifierStates(), seen, now),
    streams: await countStreams(store, streams),
    moreStreams: Math.max(0, streams.length - STREAMS_SHOWN),
  }
}

async function inForce(
  { rules }: Pick<OverviewDependencies, 'rules'>,
  mustBe: boolean,
): Promise<RulesInForce | null> {
  try {
    return await rules.recent()
  } catch (error) {
    if (mustBe) throw error
    return null
  }
}

function readRange(
  store: Pick<Store, 'fleetHistory'>,
  range: OverviewRange,
  now: Date,
): Promise<readonly FleetSummary[]> {
  const { seconds, stepSeconds } = OVERVIEW_RANGES[range]
  // Steps begin at whole ones, so that a point stays the same one from page to page.
  const stepMs = stepSeconds * 1000
  const until = new Date(Math.ceil((now.getTime() + 1) / stepMs) * stepMs)
  const since = new Date(until.getTime() - seconds * 1000 - stepMs)
  return store.fleetHistory({ since, until, stepSeconds })
}

/** What was counted last until so long ago, and not more than an hour before that. */
async function countsBefore(
  store: Pick<Store, 'fleetHistory'>,
  now: Date,
  agoMs: number,
): Promise<FleetSummary | undefined> {
  const until = new Date(now.getTime() - agoMs)
  const since = new Date(until.getTime() - HOUR_MS)
  const [found] = await store.fleetHistory({ since, until, stepSeconds: HOUR_MS / 1000 })
  return found
}

function verifiersOf(
  states: Readonly<Record<string, boolean>>,
  seen: readonly VerifierObservation[],
  now: Date,
): readonly VerifierState[] {
  const byIssuer = Map.groupBy(seen, ({ issuer }) => issuer)
  return Object.entries(states).map(([name, answers]) => {
    return { name, answers, health: judgeVerifier(byIssuer.get(name) ?? [], now) }
  })
}

/** Those that fail or are stopped come first. */
function countStreams(
  store: Pick<Store, 'countDeliveries'>,
  streams: readonly StoredStream[],
): Promise<readonly StreamState[]> {
  const rank = ({ failing, status }: StoredStream) =>
    failing !== null ? 0 : status !== 'enabled' ? 1 : 2
  const shown = [...streams].sort((a, b) => rank(a) - rank(b)).slice(0, STREAMS_SHOWN)
  return Promise.all(
    shown.map(async (stream) => ({ stream, ...(await store.countDeliveries(stream.streamId)) })),
  )
}
