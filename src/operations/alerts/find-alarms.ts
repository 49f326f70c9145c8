import type { Alarm, AlarmName, AlarmValue } from '../../alerts/alarms.ts'
import { WEBHOOK } from '../../alerts/webhook.ts'
import type { Config } from '../../config/config.ts'
import { FORECAST_DAYS } from '../../replay/forecast/forecast.ts'
import { keyOfCause } from '../../rollout/hold.ts'
import type { Rollout } from '../../rollout/rollout.ts'
import type { StoredStream } from '../../store/signals/streams.ts'
import type { Store } from '../../store/store.ts'
import type { FleetForecast, FleetSummary } from '../../store/system/fleet-summary.ts'
import { type Expiry, nameOfExpiry } from '../expiry/expiry.ts'
import { type ListExpiriesDependencies, listExpiries } from '../expiry/list-expiries.ts'
import { judgeVerifier } from '../jobs/judge-outage.ts'
import type { RulesInForce } from '../release/rules-in-force.ts'
import { NOTHING_ARRIVED } from '../signals/deliver-stream.ts'

export type FindAlarmsDependencies = Omit<ListExpiriesDependencies, 'config' | 'store'> & {
  readonly store: ListExpiriesDependencies['store'] &
    Pick<
      Store,
      | 'listRollouts'
      | 'listStreams'
      | 'countDeliveries'
      | 'fleetSummary'
      | 'fleetForecast'
      | 'verifierObservations'
    >
  readonly config: ListExpiriesDependencies['config'] & Pick<Config, 'expiryWarningDays'>
}

const DAY_MS = 86_400_000
/** A receiver may be away for a moment. */
const FAILING_MS = 10 * 60_000
const SWEEP_STANDS_MS = 6 * 3_600_000
/** Shares of the fleet from which it is the clause, or the end of something, and not the devices. */
const MANY_FAIL = 0.05
const MANY_WILL_FAIL = 0.01
/** In fewer devices a share says nothing. */
const LEAST_DEVICES = 5
/** A halt is told until another rollout of its kind begins, though not for ever. */
const HALT_TOLD_MS = 7 * DAY_MS
const ROLLOUTS_LOOKED_AT = 20
/** What is told of one round at most: the earliest ends first. */
const MOST_EXPIRIES = 100

/** What is wrong now, as far as the database tells it: a few small reads, and nothing of the fleet. */
export async function findAlarms(dependencies: FindAlarmsDependencies): Promise<readonly Alarm[]> {
  const { store, rules, clock, config } = dependencies
  const rulesInForce = await rules.at(await store.inForce())
  const expiries = await listExpiries(dependencies)
  const rollouts = await store.listRollouts(ROLLOUTS_LOOKED_AT)
  const observations = await store.verifierObservations(clock())
  const [summary, forecast] = [await store.fleetSummary(), await store.fleetForecast()]
  const ofStreams = await findInStreams(store, clock())
  const now = clock()
  const issuers = Map.groupBy(observations, ({ issuer }) => issuer)
  const suspected = [...issuers].flatMap(([issuer, ofIssuer]) =>
    judgeVerifier(ofIssuer, now).state === 'suspected' ? [issuer] : [],
  )
  return [
    ...ofControl(rulesInForce, suspected, now),
    ...ofRollouts(rollouts, now),
    ...ofStreams,
    ...ofSummary(summary, now),
    ...ofForecast(forecast),
    ...expiries
      .flatMap((expiry) => ofExpiry(expiry, config.expiryWarningDays, now) ?? [])
      .slice(0, MOST_EXPIRIES),
  ]
}

function alarm(
  name: AlarmName,
  subject: string,
  detail: Readonly<Record<string, AlarmValue>>,
  level = '',
): Alarm {
  return { name, subject, level, detail, until: null }
}

function ofControl(
  { control, unusable }: RulesInForce,
  suspected: readonly string[],
  now: Date,
): readonly Alarm[] {
  const holds = control.holds.filter(({ until }) => now < until)
  const outages = holds.flatMap(({ cause }) => (cause.kind === 'stale' ? [cause.issuer] : []))
  return [
    ...unusable.map((hash) => alarm('document_unusable', hash, {})),
    ...[...new Set([...outages, ...suspected])].map((issuer) => {
      return alarm('verifier_outage', issuer, { relieved: outages.includes(issuer) })
    }),
    ...holds
      .filter(({ cause }) => cause.kind !== 'stale')
      .map(({ holdId, cause, until }) => {
        const detail = { cause: keyOfCause(cause), until: until.toISOString() }
        return alarm('hold_active', holdId, detail)
      }),
  ]
}

/** Of each kind of document the newest rollout, if that has halted. */
function ofRollouts(rollouts: readonly Rollout[], now: Date): readonly Alarm[] {
  const newest = [...Map.groupBy(rollouts, ({ kind }) => kind).values()].flatMap(
    ([one]) => one ?? [],
  )
  return newest
    .filter(({ state, updatedAt }) => {
      return state === 'halted' && now.getTime() - updatedAt.getTime() < HALT_TOLD_MS
    })
    .map(({ rolloutId, kind, to, note }) => alarm('rollout_halted', rolloutId, { kind, to, note }))
}

async function findInStreams(
  store: FindAlarmsDependencies['store'],
  now: Date,
): Promise<readonly Alarm[]> {
  const found: Alarm[] = []
  for (const stream of await store.listStreams()) {
    const { streamId, status, reason, failing } = stream
    const detail = { to: placeOf(stream) }
    if (failing !== null && now.getTime() - failing.since.getTime() >= FAILING_MS) {
      const since = failing.since.toISOString()
      found.push(alarm('stream_failing', streamId, { ...detail, since, failure: failing.failure }))
    }
    if (status === 'paused' && reason?.startsWith(NOTHING_ARRIVED) === true) {
      found.push(alarm('stream_paused', streamId, { ...detail, reason }))
    }
    const { refused } = await store.countDeliveries(streamId)
    if (refused > 0) found.push(alarm('dead_letters', streamId, { ...detail, refused }))
  }
  return found
}

/** The host alone: a path may be a secret of its receiver. */
function placeOf({ audience, delivery }: StoredStream): string {
  return delivery.method === WEBHOOK ? new URL(delivery.url).host : audience
}

function ofSummary(summary: FleetSummary | null, now: Date): readonly Alarm[] {
  if (summary === null) return []
  const { verdicts, failing } = summary.counts
  const devices = Object.values(verdicts).reduce((sum, count) => sum + count, 0)
  const stands = now.getTime() - summary.at.getTime() >= SWEEP_STANDS_MS
  return [
    ...(stands ? [alarm('sweep_stands', '', { ended_at: summary.at.toISOString() })] : []),
    ...Object.entries(failing).flatMap(([key, count]) => {
      const [severity, clause = ''] = key.split(':')
      const isMany = count >= LEAST_DEVICES && count >= MANY_FAIL * devices
      if (severity !== 'enforce' || !isMany) return []
      return [alarm('clause_fails_many', clause, { failing: count, devices })]
    }),
  ]
}

function ofForecast(forecast: FleetForecast | null): readonly Alarm[] {
  if (forecast === null) return []
  const { allowed, failing } = forecast.counts
  const index = failing.findIndex(
    (count) => count >= Math.max(LEAST_DEVICES, MANY_WILL_FAIL * allowed),
  )
  const days = FORECAST_DAYS[index]
  if (days === undefined) return []
  return [
    alarm('devices_will_fail', '', { devices: failing[index] ?? 0, allowed, days }, `${days}d`),
  ]
}

/**
 * The alarm about what ends soon, at the level of the shortest warning that has come; nothing where none has. What
 * was made for a shorter time than a warning is warned of by the shorter ones. What renews itself is told
 * when it is a day overdue.
 */
export function ofExpiry(
  expiry: Expiry,
  warningDays: readonly number[],
  now: Date,
): Alarm | undefined {
  const { kind, name, source, since, at, renewal } = expiry
  const level = levelOf(at.getTime() - now.getTime(), { warningDays, since, at, renewal })
  if (level === undefined) return undefined
  const detail = { kind, name, source, at: at.toISOString(), breaks: expiry.breaks }
  return alarm('expires_soon', nameOfExpiry(expiry), detail, level)
}

function levelOf(
  left: number,
  about: Pick<Expiry, 'since' | 'at' | 'renewal'> & { readonly warningDays: readonly number[] },
): string | undefined {
  const { since, at, renewal, warningDays } = about
  if (renewal === 'automatic') return left <= -DAY_MS ? 'overdue' : undefined
  if (left <= 0) return 'ended'
  const lives = since === null ? Infinity : at.getTime() - since.getTime()
  const days = warningDays.findLast((one) => left <= one * DAY_MS && lives > one * DAY_MS)
  return days === undefined ? undefined : `${days}d`
}
