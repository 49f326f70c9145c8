import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { createFleetGauges } from './fleet-gauges.ts'
import { VERSION } from './version.ts'

/**
 * What operators watch. Labels are routes, reasons, verdicts and clauses: never a device or a client.
 * Counters and histograms are of one process and are summed; gauges say which they are.
 */
export type Metrics = ReturnType<typeof createMetrics>

/** Connections of one process to its database. */
export type PoolState = { readonly used: number; readonly idle: number; readonly waiting: number }

/** What gauges ask when they are read. Set when it is there: metrics are counted before that. */
export type MetricSources = {
  /** Whether each configured verifier answers. */
  verifiers: () => Readonly<Record<string, boolean>>
  /** By pool; nothing where there are none. */
  pools?: (() => Readonly<Record<string, PoolState>>) | undefined
}

export function createMetrics() {
  const sources: MetricSources = { verifiers: () => ({}) }
  const registry = new Registry()
  const registers = [registry]
  const build = new Gauge({
    name: 'countersign_build_info',
    help: 'Always 1; the version of this process is its label.',
    labelNames: ['version'],
    registers,
  })
  build.set({ version: VERSION }, 1)
  const verifiers = new Gauge({
    name: 'countersign_verifier_available',
    help: '1 while a configured verifier answers this process, 0 while it is given up for the moment.',
    labelNames: ['verifier'],
    registers,
    collect() {
      for (const [verifier, isAvailable] of Object.entries(sources.verifiers())) {
        this.set({ verifier }, isAvailable ? 1 : 0)
      }
    },
  })
  const connections = new Gauge({
    name: 'countersign_database_connections',
    help: 'Connections of this process to PostgreSQL, by pool and state; waiting: statements that wait for one.',
    labelNames: ['pool', 'state'],
    registers,
    collect() {
      for (const [pool, { used, idle, waiting }] of Object.entries(sources.pools?.() ?? {})) {
        this.set({ pool, state: 'used' }, used)
        this.set({ pool, state: 'idle' }, idle)
        this.set({ pool, state: 'waiting' }, waiting)
      }
    },
  })
  return {
    registry,
    sources,
    ...createFleetGauges(registers),
    build,
    verifiers,
    connections,
    requests: new Histogram({
      name: 'countersign_http_request_duration_seconds',
      help: 'Time to answer, by route and status class.',
      labelNames: ['route', 'status'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
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
    signIns: new Counter({
      name: 'countersign_console_sign_ins_total',
      help: 'People who signed in to the console, or out, and those who were not let in, by outcome.',
      labelNames: ['outcome'],
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
    auditLeaves: new Counter({
      name: 'countersign_audit_leaves_total',
      help: 'Entries of the audit log that got their place in its Merkle tree.',
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
