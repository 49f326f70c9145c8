import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** What operators watch. Labels are routes, reasons and verdicts: never a device or a client. */
export type Metrics = ReturnType<typeof createMetrics>

export function createMetrics(sources: {
  readonly countDevices: () => Promise<Readonly<Record<string, number>>>
  /** Whether each configured verifier answers. */
  readonly verifiers: () => Readonly<Record<string, boolean>>
}) {
  const registers = [new Registry()]
  const verifiers = new Gauge({
    name: 'countersign_verifier_available',
    help: '1 while a configured verifier answers, 0 while it is given up for the moment.',
    labelNames: ['verifier'],
    registers,
    collect() {
      for (const [verifier, isAvailable] of Object.entries(sources.verifiers())) {
        this.set({ verifier }, isAvailable ? 1 : 0)
      }
    },
  })
  const devices = new Gauge({
    name: 'countersign_devices',
    help: 'Recorded devices by the verdict of their last attestation.',
    labelNames: ['verdict'],
    registers,
    async collect() {
      for (const [verdict, count] of Object.entries(await sources.countDevices())) {
        this.set({ verdict }, count)
      }
    },
  })
  return {
    registry: registers[0] ?? new Registry(),
    devices,
    verifiers,
    requests: new Histogram({
      name: 'countersign_http_request_duration_seconds',
      help: 'Time to answer, by route and status class.',
      labelNames: ['route', 'status'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers,
    }),
    attestations: new Counter({
      name: 'countersign_attestations_total',
      help: 'Attestations that were recorded, by verdict.',
      labelNames: ['verdict'],
      registers,
    }),
    refusals: new Counter({
      name: 'countersign_refusals_total',
      help: 'Attestations that were refused, by stage and reason.',
      labelNames: ['stage', 'reason'],
      registers,
    }),
    clientRefusals: new Counter({
      name: 'countersign_client_refusals_total',
      help: 'Requests that proved no API client, or one without the scope, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    refusalsNotKept: new Counter({
      name: 'countersign_refusals_not_kept_total',
      help: 'Refused attempts of keys that nobody knows and nobody vouches for: counted, not recorded.',
      labelNames: ['stage'],
      registers,
    }),
    sharedKeys: new Counter({
      name: 'countersign_shared_request_keys_total',
      help: 'Attestations by a request key that another device had proven before.',
      registers,
    }),
    decisions: new Counter({
      name: 'countersign_decisions_total',
      help: 'Access decisions, by outcome and verdict.',
      labelNames: ['decision', 'verdict'],
      registers,
    }),
    decisionLinesLeftOut: new Counter({
      name: 'countersign_decision_lines_left_out_total',
      help: 'Lines of the log of decisions that were not written, because standard output is too slow.',
      registers,
    }),
    relieved: new Counter({
      name: 'countersign_relieved_decisions_total',
      help: 'Decisions in which something wrong did not count, by why.',
      labelNames: ['kind'],
      registers,
    }),
    rolloutSteps: new Counter({
      name: 'countersign_rollout_steps_total',
      help: 'Steps of rollouts that this process took by itself.',
      labelNames: ['step'],
      registers,
    }),
    announced: new Counter({
      name: 'countersign_announced_changes_total',
      help: 'Changes of verdicts that the sweep of this process announced.',
      registers,
    }),
    sweepCycle: new Gauge({
      name: 'countersign_sweep_cycle_seconds',
      help: 'How long the last sweep of the whole fleet took that ended in this process.',
      registers,
    }),
    breakGlass: new Counter({
      name: 'countersign_break_glass_total',
      help: 'Break-glass tokens that were shown: granted, or why not.',
      labelNames: ['outcome'],
      registers,
    }),
    faults: new Counter({
      name: 'countersign_faults_total',
      help: 'Requests that ended in a fault of our own or of our infrastructure.',
      labelNames: ['surface'],
      registers,
    }),
    storeFaults: new Counter({
      name: 'countersign_store_faults_total',
      help: 'Requests that the database could not answer for a while, by what kept it from it.',
      labelNames: ['kind'],
      registers,
    }),
    relayed: new Counter({
      name: 'countersign_relayed_messages_total',
      help: 'Messages passed on to a provider of Azure Attestation, by what became of them.',
      labelNames: ['verifier', 'outcome'],
      registers,
    }),
    probes: new Counter({
      name: 'countersign_verifier_probes_total',
      help: 'Challenges that this process asked a provider for by itself, by what became of them.',
      labelNames: ['verifier', 'outcome'],
      registers,
    }),
    partitionsMissing: new Gauge({
      name: 'countersign_partitions_missing',
      help: 'Partitions of a table, of now and of the time to come, that could not be made.',
      labelNames: ['table'],
      registers,
    }),
    partitionsDropped: new Counter({
      name: 'countersign_dropped_partitions_total',
      help: 'Partitions that were dropped because everything in them was old enough.',
      labelNames: ['table'],
      registers,
    }),
    removed: new Counter({
      name: 'countersign_removed_rows_total',
      help: 'Rows that background jobs removed, by job.',
      labelNames: ['job'],
      registers,
    }),
  }
}
