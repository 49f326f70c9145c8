import { createHistogram } from 'node:perf_hooks'
import type { Scenario, ScenarioAttempt } from './scenario.ts'

/** How a load goes, or went. */
export type LoadReport = {
  readonly devices: number
  readonly started: number
  readonly finished: number
  /** Answered as expected. */
  readonly correct: number
  /** Answered, but not as expected. */
  readonly wrong: number
  /** Not answered: the service was unreachable, too slow or faulty. */
  readonly failed: number
  /** By verdict, or `refused`. */
  readonly verdicts: Readonly<Record<string, number>>
  /** By what happened, for `wrong` and `failed`. */
  readonly errors: Readonly<Record<string, number>>
  /** Milliseconds from the moment a device was due until its answer; a queue in between counts. */
  readonly latency: {
    readonly p50: number
    readonly p95: number
    readonly p99: number
    readonly max: number
  }
  readonly elapsedMs: number
  /** Devices finished per second. */
  readonly achievedRate: number
  /** The longest time that a device began after it was due because it was not yet prepared. */
  readonly behindMs: number
  readonly cancelled: boolean
}

/** Beyond so many kinds of errors the rest is one kind. */
const MAX_ERROR_KINDS = 50
const MICROSECONDS = 1000
const LONGEST_LATENCY = 3_600_000_000

/** Counts what becomes of the devices of a load, in bounded memory however many they are. */
export class LoadCounter {
  readonly begunAt = performance.now()
  started = 0
  readonly #devices: number
  readonly #latency = createHistogram({ lowest: 1, highest: LONGEST_LATENCY, figures: 3 })
  readonly #verdicts = new Map<string, number>()
  readonly #errors = new Map<string, number>()
  #correct = 0
  #wrong = 0
  #failed = 0
  #behindMs = 0

  constructor(devices: number) {
    this.#devices = devices
  }

  noteDelay(ms: number): void {
    this.#behindMs = Math.max(this.#behindMs, ms)
  }

  noteAnswer(answer: {
    readonly scenario: Scenario
    readonly verdict: string
    readonly attempt: ScenarioAttempt
    /** Milliseconds. */
    readonly latency: number
  }): void {
    const { scenario, verdict, attempt } = answer
    const { expected } = scenario
    this.#latency.record(Math.max(1, Math.round(answer.latency * MICROSECONDS)))
    increment(this.#verdicts, verdict)
    const asExpected =
      attempt.refusal === expected.refusal &&
      (attempt.refusal !== undefined ||
        (verdict === expected.verdict &&
          expected.reasons.every((reason) => attempt.reasons.includes(reason))))
    if (asExpected) {
      this.#correct += 1
      return
    }
    this.#wrong += 1
    increment(this.#errors, `${scenario.name}: ${attempt.refusal ?? verdict}`)
  }

  noteFailure(kind: string): void {
    this.#failed += 1
    increment(this.#errors, kind)
  }

  report(cancelled: boolean): LoadReport {
    const elapsedMs = performance.now() - this.begunAt
    const finished = this.#correct + this.#wrong + this.#failed
    const percentile = (share: number) => this.#latency.percentile(share) / MICROSECONDS
    return {
      devices: this.#devices,
      started: this.started,
      finished,
      correct: this.#correct,
      wrong: this.#wrong,
      failed: this.#failed,
      verdicts: Object.fromEntries(this.#verdicts),
      errors: Object.fromEntries(this.#errors),
      latency: {
        p50: percentile(50),
        p95: percentile(95),
        p99: percentile(99),
        max: this.#latency.count === 0 ? 0 : this.#latency.max / MICROSECONDS,
      },
      elapsedMs,
      achievedRate: elapsedMs === 0 ? 0 : (finished * 1000) / elapsedMs,
      behindMs: this.#behindMs,
      cancelled,
    }
  }
}

function increment(counts: Map<string, number>, kind: string): void {
  const known = counts.has(kind) || counts.size < MAX_ERROR_KINDS
  const key = known ? kind : 'other'
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
