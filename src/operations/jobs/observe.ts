import { VERDICTS } from '../../access/trust-record.ts'
import type { ReferenceValues, Validity } from '../../appraisal/reference-values.ts'
import { countsAt } from '../../appraisal/validity.ts'
import type { FleetGauges } from '../../base/fleet-gauges.ts'
import type { Control } from '../../rollout/in-force.ts'
import { isOpen } from '../../rollout/rollout.ts'
import { STREAM_STATUSES } from '../../signals/stream.ts'
import type { StoredStream } from '../../store/signals/streams.ts'
import type { Store } from '../../store/store.ts'
import type { FleetSummary, OutboxState } from '../../store/system/fleet-summary.ts'
import type { RulesReader } from '../release/rules-in-force.ts'

export type ObserveDependencies = {
  readonly store: Pick<Store, 'inForce' | 'fleetSummary' | 'waitingInOutbox' | 'listStreams'>
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
    const { control, active } = await rules.at(await store.inForce())
    const summary = await store.fleetSummary()
    const outbox = await store.waitingInOutbox(OUTBOX_MOST)
    const streams = await store.listStreams()
    const now = clock()
    showFleet(metrics, summary)
    showControl(metrics, control, now)
    showExpiries(metrics, { control, referenceValues: active.referenceValues, now })
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

function showExpiries(
  metrics: FleetGauges,
  input: {
    readonly control: Control
    readonly referenceValues: ReferenceValues
    readonly now: Date
  },
): void {
  const { control, referenceValues, now } = input
  const { enclavesByAuthor, anchors, pinsByIssuer } = referenceValues
  const endsOf = (entries: ReadonlyMap<string, readonly Validity[]>) =>
    [...entries.values()]
      .flat()
      .filter((entry) => countsAt(entry, now.getTime()))
      .map(({ validUntil }) => validUntil)
  const timesOf = (times: readonly Date[]) =>
    times.map((time) => time.getTime()).filter((time) => time > now.getTime())
  const kinds = {
    enclave: endsOf(enclavesByAuthor),
    trust_anchor: endsOf(anchors),
    azure_policy: endsOf(pinsByIssuer),
    override: timesOf(control.overrides.map(({ expiresAt }) => expiresAt)),
    hold: timesOf(control.holds.map(({ until }) => until)),
  }
  metrics.expiry.reset()
  for (const [kind, ends] of Object.entries(kinds)) {
    const first = Math.min(...ends)
    if (Number.isFinite(first)) metrics.expiry.set({ kind }, first / 1000)
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
  metrics.sweptAt.set(NaN)
  metrics.outbox.set(NaN)
  metrics.outboxAge.set(NaN)
  for (const state of STREAM_STATES) metrics.streams.set({ state }, NaN)
}
