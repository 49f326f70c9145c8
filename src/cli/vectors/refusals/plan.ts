import type { RefusalBench } from '../refusal-bench.ts'

/** A request that is wrong in one thing, and what the service says of it. */
export type RefusalPlan = {
  /** Kebab-case, unique. */
  readonly name: string
  /** What is changed of a good request; one sentence. */
  readonly changed: string
  readonly status: number
  /** From the catalogue of codes. */
  readonly code: string
  /** Sends it; the last request of the bench is the one that is refused. */
  readonly send: (bench: RefusalBench) => Promise<unknown>
}
