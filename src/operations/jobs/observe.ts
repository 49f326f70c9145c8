import { VERDICTS } from '../../access/trust-record.ts'
import { ALARM_NAMES, ALARMS, type StandingAlarm } from '../../alerts/alarms.ts'
import type { FleetGauges } from '../../base/fleet-gauges.ts'
import { FORECAST_DAYS } from '../../replay/forecast/forecast.ts'
import type { Control } from '../../rollout/in-force.ts'
import { isOpen } from '../../rollout/rollout.ts'
import { STREAM_STATUSES } from '../../signals/stream.ts'
import type { StoredStream } from '../../store/signals/streams.ts'
import type { Store } from '../../store/store.ts'
import type { FleetForecast, FleetSummary, OutboxState } from '../../store/system/fleet-summary.ts'
import type { Expiry } from '../expiry/expiry.ts'
import { type ListExpiriesDependencies, listExpiries } from '../expiry/list-expiries.ts'
import type { RulesReader } from '../release/rules-in-force.ts'

export type ObserveDependencies = ListExpiriesDependencies & {
  readonly store: ListExpiriesDependencies['store'] &
    Pick<
      Store,
      | 'inForce'
      | 'fleetSummary'
      | 'waitingInOutbox'
      | 'listStreams'
      | 'fleetForecast'
      | 'standingAlarms'
    >
  readonly rules: Pick<RulesReader, 'at'>
  readonly metrics: FleetGauges
  readonly clock: () => Date
}

/** What the help of its gauge says too. */
const OUTBOX_MOST = 100_000
const HOLD_KINDS = [
  'clause',
  'policy_not_pinned',
  'anchor_not_listed',
  'hardware_unproven',
  'stale',
]
const STREAM_STATES = [...STREAM_STATUSES, 'failing'] as const
const DOCUMENT_KINDS = ['policy', 'reference-values']

/**
 * One round of what every process shows of the whole deployment: a few small reads, so that nobody who asks
 * for metrics reads the database, and the answer is there while it is away. Then all of it is `NaN`.
 */
export async function observeDeployment(dependencies: ObserveDependencies): Promise<void> {
  const { store, rules, metrics, clock } = dependencies
  try {
    const { control } = await rules.at(await store.inForce())
    const summary = await store.fleetSummary()
    const outbox = await store.waitingInOutbox(OUTBOX_MOST)
    const streams = await store.listStreams()
    const forecast = await store.fleetForecast()
    const alarms = await store.standingAlarms()
    const expiries = await listExpiries(dependencies)
    const now = clock()
    showFleet(metrics, summary)
    showControl(metrics, control, now)
    showExpiries(metrics, expiries)
    showForecast(metrics, forecast)
    showAlarms(metrics, alarms)
    showOutbox(metrics, outbox, now)
    showStreams(metrics, streams)
    metrics.observedAt.set(now.getTime() / 1000)
  } catch (error) {
    showNothing(metrics)
    throw error
  }
}

function showFleet(metrics: FleetGauges, summary: FleetSummary | null): void {
  if (summary === null) return
  const { verdicts, failing } = summary.counts
  for (const verdict of VERDICTS) metrics.devices.set({ verdict }, verdicts[verdict] ?? 0)
  // Clauses that are in force no longer are not shown any more.
  metrics.devicesFailing.reset()
  for (const [key, devices] of Object.entries(failing)) {
    const [severity = '', clause = ''] = key.split(':')
    metrics.devicesFailing.set({ clause, severity }, devices)
  }
  metrics.sweptAt.set(summary.at.getTime() / 1000)
}

function showControl(metrics: FleetGauges, control: Control, now: Date): void {
  const holds = control.holds.filter(({ until }) => now < until)
  for (const kind of HOLD_KINDS) {
    metrics.holds.set({ kind }, holds.filter(({ cause }) => cause.kind === kind).length)
  }
  const rollouts = control.rollouts.filter(({ state }) => isOpen(state))
  for (const kind of DOCUMENT_KINDS) {
    const ofKind = rollouts.filter((rollout) => rollout.kind === kind)
    for (const pass of ['audit', 'enforce']) {
      for (const state of ['running', 'paused']) {
        const found = ofKind.filter((rollout) => rollout.pass === pass && rollout.state === state)
        metrics.rollouts.set({ kind, pass, state }, found.length)
      }
    }
    metrics.rolloutStage.set({ kind }, (ofKind[0]?.stage ?? -1) + 1)
  }
}

/** The first of each kind, ended or not: what has ended and still stands is the most urgent of all. */
function showExpiries(metrics: FleetGauges, expiries: readonly Expiry[]): void {
  metrics.expiry.reset()
  for (const { kind, at } of expiries.toReversed()) {
    metrics.expiry.set({ kind }, at.getTime() / 1000)
  }
}

function showForecast(metrics: FleetGauges, forecast: FleetForecast | null): void {
  for (const [index, days] of FORECAST_DAYS.entries()) {
    const devices = forecast === null ? NaN : (forecast.counts.failing[index] ?? 0)
    metrics.devicesFailingSoon.set({ days: String(days) }, devices)
  }
  metrics.forecastAt.set(forecast === null ? NaN : forecast.at.getTime() / 1000)
}

function showAlarms(metrics: FleetGauges, alarms: readonly StandingAlarm[]): void {
  for (const name of ALARM_NAMES) {
    if (name === 'test') continue
    const { severity } = ALARMS[name]
    const standing = alarms.filter((one) => one.name === name)
    metrics.alarms.set({ alarm: name, severity }, standing.length)
  }
}

function showOutbox(metrics: FleetGauges, { waiting, next }: OutboxState, now: Date): void {
  metrics.outbox.set(waiting)
  metrics.outboxAge.set(next === null ? 0 : Math.max(0, now.getTime() - next.getTime()) / 1000)
}

function showStreams(metrics: FleetGauges, streams: readonly StoredStream[]): void {
  const states = streams.map(({ status, failing }) =>
    status === 'enabled' && failing !== null ? 'failing' : status,
  )
  for (const state of STREAM_STATES) {
    metrics.streams.set({ state }, states.filter((one) => one === state).length)
  }
}

function showNothing(metrics: FleetGauges): void {
  for (const verdict of VERDICTS) metrics.devices.set({ verdict }, NaN)
  for (const kind of HOLD_KINDS) metrics.holds.set({ kind }, NaN)
  for (const kind of DOCUMENT_KINDS) metrics.rolloutStage.set({ kind }, NaN)
  metrics.devicesFailing.reset()
  metrics.rollouts.reset()
  metrics.expiry.reset()
  metrics.alarms.reset()
  showForecast(metrics, null)
  metrics.sweptAt.set(NaN)
  metrics.outbox.set(NaN)
  metrics.outboxAge.set(NaN)
  for (const state of STREAM_STATES) metrics.streams.set({ state }, NaN)
}
