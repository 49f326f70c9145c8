import { type Comparison, comparisonsOf } from '../../base/comparison.ts'
import type { Err, Failure, Result } from '../../base/result.ts'

/** The steps that come before any evidence is looked at; those of a kind stand with the kind. */
export const REQUEST_STEPS = ['service_context', 'request_signature'] as const

/** Reading the message: told where that fails, since nothing else is taken then. */
export const MESSAGE_STEP = 'message'

/** Whether the nonce of the relying party is one of ours for this key: taken last, where that can be told. */
export const NONCE_STEP = 'rp_data'

/** One thing that was checked. */
export type TraceStep = {
  readonly step: string
  /** `unchecked`: nothing spoke against it, and whether it holds can be said elsewhere only. */
  readonly outcome: 'passed' | 'failed' | 'unchecked'
  /** Never evidence: a reason, which PCRs, or why it was not checked. */
  readonly detail: string
  /** Evidence: the values that were compared. Only in a trace that was begun with them. */
  readonly compared?: readonly Comparison[]
}

/** What a verification did, for an administrator. A step that is not listed was not reached. */
export type VerifierTrace = readonly TraceStep[]

/** A trace under way, and what is wanted of it. */
export type Trace = {
  readonly steps: TraceStep[]
  /** Of the steps that failed, with the place of what is wrong. */
  readonly failures: Failure[]
  /** Whether steps keep the values that they compared, which are evidence: for developers alone. */
  readonly withValues: boolean
  /** Whether steps are taken after the first that failed, where they do not need its outcome. */
  readonly goesOn: boolean
  /** Why steps of these names cannot be checked here, whatever else may speak against them. */
  readonly unchecked: Readonly<Record<string, string>>
}

/** Begins a trace: by itself one without values that ends where the verification does. */
export function beginTrace(wanted: Partial<Omit<Trace, 'steps' | 'failures'>> = {}): Trace {
  return { steps: [], failures: [], withValues: false, goesOn: false, unchecked: {}, ...wanted }
}

/** What a step that succeeded says for itself. Neither is called unless it is wanted. */
type StepNotes<T> = {
  readonly detail?: (value: T) => string
  readonly compared?: (value: T) => readonly Comparison[]
}

/** Takes one step of a verification and notes in `trace` how it went. */
export async function takeStep<T, F extends Failure>(
  trace: Trace,
  step: string,
  run: () => Result<T, F> | Promise<Result<T, F>>,
  notes: StepNotes<T> = {},
): Promise<Result<T, F>> {
  const result = await run()
  if (!result.ok) trace.failures.push(result.failure)
  const compared = trace.withValues ? listCompared(result, notes) : []
  const outcome = outcomeOf(trace, step, result, notes)
  trace.steps.push({ step, ...outcome, ...(compared.length > 0 && { compared }) })
  return result
}

function outcomeOf<T>(
  { unchecked }: Trace,
  step: string,
  result: Result<T, Failure>,
  { detail }: StepNotes<T>,
): Pick<TraceStep, 'outcome' | 'detail'> {
  if (!result.ok) return { outcome: 'failed', detail: result.failure.reason }
  const why = unchecked[step]
  if (why !== undefined) return { outcome: 'unchecked', detail: why }
  return { outcome: 'passed', detail: detail?.(result.value) ?? '' }
}

function listCompared<T>(
  result: Result<T, Failure>,
  { compared }: StepNotes<T>,
): readonly Comparison[] {
  return result.ok ? (compared?.(result.value) ?? []) : comparisonsOf(result.failure)
}

/**
 * Ends a verification by a refusal. A trace that goes on takes `others` before it does: steps that do not
 * need what was refused, and whose outcome changes nothing any more.
 */
export async function endWith<F extends Failure>(
  trace: Trace,
  refused: Err<F>,
  ...others: readonly (() => Promise<unknown>)[]
): Promise<Err<F>> {
  if (trace.goesOn) for (const take of others) await take()
  return refused
}
