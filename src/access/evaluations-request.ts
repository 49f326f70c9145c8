import { err, ok, type Result } from '../base/result.ts'
import {
  type AuthzenFailure,
  type EvaluationRequest,
  illTyped,
  isMembers,
  type Members,
  parseEvaluation,
  readRequest,
} from './evaluation-request.ts'
import { MAX_EVALUATIONS } from './limits.ts'

/** AuthZEN §7.1.2.1: when the answers to a batch end early. */
export const BATCH_SEMANTICS = [
  'execute_all',
  'deny_on_first_deny',
  'permit_on_first_permit',
] as const

export type BatchSemantic = (typeof BATCH_SEMANTICS)[number]

/** An Access Evaluations request: one question, when there are no `evaluations`, or many. */
export type EvaluationsRequest =
  | { readonly kind: 'single'; readonly request: EvaluationRequest }
  | {
      readonly kind: 'batch'
      readonly semantic: BatchSemantic
      /** In the order of the request. What is wrong with one question stays with it (§7.2.1). */
      readonly items: readonly Result<EvaluationRequest, AuthzenFailure>[]
    }

export const AUTHZEN_BATCH_REASONS = [
  'authzen_semantic_unknown',
  'authzen_too_many_evaluations',
] as const

export type AuthzenBatchFailure =
  | AuthzenFailure
  | {
      readonly reason: (typeof AUTHZEN_BATCH_REASONS)[number]
      readonly member: string
      readonly message: string
    }

/** Reads the parsed body of an Access Evaluations request (AuthZEN §7.1). */
export function parseEvaluations(json: unknown): Result<EvaluationsRequest, AuthzenBatchFailure> {
  if (!isMembers(json)) return illTyped('', 'an object')
  const { evaluations } = json
  if (evaluations !== undefined && !Array.isArray(evaluations)) {
    return illTyped('evaluations', 'an array')
  }
  if (evaluations === undefined || evaluations.length === 0) {
    const request = parseEvaluation(json)
    return request.ok ? ok({ kind: 'single', request: request.value }) : request
  }
  if (evaluations.length > MAX_EVALUATIONS) {
    return err({
      reason: 'authzen_too_many_evaluations',
      member: 'evaluations',
      message: `evaluations must have at most ${MAX_EVALUATIONS} items`,
    })
  }
  const semantic = readSemantic(json)
  if (!semantic.ok) return semantic
  const items = evaluations.map((item, index) => readItem(json, item, index))
  return ok({ kind: 'batch', semantic: semantic.value, items })
}

/** Whether a batch ends with this answer. */
export function endsBatch(semantic: BatchSemantic, decision: boolean): boolean {
  if (semantic === 'deny_on_first_deny') return !decision
  return semantic === 'permit_on_first_permit' && decision
}

/** The answer to a question that could not be read, in the place of its decision (§7.2.1). */
export function answerUnreadable(failure: AuthzenFailure): {
  readonly decision: false
  readonly context: { readonly error: { readonly status: 400; readonly message: string } }
} {
  return { decision: false, context: { error: { status: 400, message: failure.message } } }
}

function readSemantic(json: Members): Result<BatchSemantic, AuthzenBatchFailure> {
  const { options } = json
  if (options === undefined) return ok('execute_all')
  if (!isMembers(options)) return illTyped('options', 'an object')
  const value = options.evaluations_semantic
  if (value === undefined) return ok('execute_all')
  const semantic = BATCH_SEMANTICS.find((known) => known === value)
  if (semantic !== undefined) return ok(semantic)
  return err({
    reason: 'authzen_semantic_unknown',
    member: 'options.evaluations_semantic',
    message: `options.evaluations_semantic must be one of ${BATCH_SEMANTICS.join(', ')}`,
  })
}

/** The top level holds defaults: they are checked as part of the questions that they complete. */
function readItem(
  defaults: Members,
  item: unknown,
  index: number,
): Result<EvaluationRequest, AuthzenFailure> {
  if (!isMembers(item)) return illTyped(`evaluations.${index}`, 'an object')
  return readRequest({
    subject: complete(item.subject, defaults.subject, ['type', 'id']),
    resource: complete(item.resource, defaults.resource, ['type', 'id']),
    action: complete(item.action, defaults.action, ['name']),
    context: item.context === undefined ? defaults.context : item.context,
  })
}

/** An entity replaces its default whole, which then lends only required members that it lacks. */
function complete(own: unknown, preset: unknown, required: readonly string[]): unknown {
  if (own === undefined) return preset
  if (!isMembers(own) || !isMembers(preset)) return own
  if (required.every((name) => own[name] !== undefined)) return own
  const completed: Record<string, unknown> = { ...own }
  for (const name of required) completed[name] ??= preset[name]
  return completed
}
