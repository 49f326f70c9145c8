import type { Failure, Result } from '../../base/result.ts'

/** The steps that come before any evidence is looked at; those of a kind stand with the kind. */
export const REQUEST_STEPS = ['service_context', 'request_signature'] as const

/** One thing that was checked. `detail` never holds evidence: a reason, or which PCRs. */
export type TraceStep = {
  readonly step: string
  readonly outcome: 'passed' | 'failed'
  readonly detail: string
}

/** What a verification did, for an administrator. A step that is not listed was not reached. */
export type VerifierTrace = readonly TraceStep[]

/** Takes one step of a verification and notes in `trace` how it went. */
export async function takeStep<T, F extends Failure>(
  trace: TraceStep[],
  step: string,
  run: () => Result<T, F> | Promise<Result<T, F>>,
  describe: (value: T) => string = () => '',
): Promise<Result<T, F>> {
  const result = await run()
  trace.push(
    result.ok
      ? { step, outcome: 'passed', detail: describe(result.value) }
      : { step, outcome: 'failed', detail: result.failure.reason },
  )
  return result
}
