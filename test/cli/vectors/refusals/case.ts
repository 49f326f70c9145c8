import type { ToldPlace } from '../../../../src/base/place.ts'
import type { VectorExchange } from '../../../../src/cli/vectors/exchange.ts'
import type { RefusalBench } from '../../../../src/cli/vectors/refusal-bench.ts'
import type { Environment } from '../../../../src/config/config.ts'

/** One more request that is refused, beside those that are exported. */
export type RefusalCase = {
  /** What the service says to itself. */
  readonly reason: string
  readonly tries: string
  readonly status?: number
  /** What the agent is told; the reason, unless told otherwise. */
  readonly code?: string
  readonly where?: ToldPlace
  /** Settings that the service has for this alone. */
  readonly settings?: Environment
  readonly send: (bench: RefusalBench) => Promise<VectorExchange>
}
