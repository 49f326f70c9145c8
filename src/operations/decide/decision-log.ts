import type { EvaluationRequest } from '../../access/evaluation-request.ts'
import { isSecretText } from '../../access/kept-request.ts'
import type { Log } from '../../base/log.ts'
import type { DecisionLogMode } from '../../config/decision-log.ts'
import type { Answer, Asked } from './question.ts'

/** Writes down single decisions, where the configuration asks for it: one line each, of scalars alone. */
export type DecisionLog = {
  /** After the decision is made; nothing about it depends on this. */
  readonly note: (decided: LoggedDecision) => void
}

export type LoggedDecision = {
  readonly request: EvaluationRequest
  readonly asked: Asked
  readonly answer: Answer
  readonly receiptId?: string | undefined
}

/** Of each text that a caller wrote: enough to recognize it. */
const MAX_TEXT_CHARS = 256

/** `log`: where lines go, at the level `info`. */
export function createDecisionLog({
  mode,
  log,
}: {
  readonly mode: DecisionLogMode
  readonly log: Pick<Log, 'info'>
}): DecisionLog {
  if (mode.kind === 'off') return { note() {} }
  let decisions = 0
  return {
    note(decided) {
      if (mode.kind === 'sample' && decisions++ % mode.every !== 0) return
      if (mode.kind === 'denials' && decided.answer.decision) return
      log.info('decision', describe(decided))
    },
  }
}

function describe({ request, asked, answer, receiptId }: LoggedDecision) {
  const { subject, resource, action } = request
  const { decision, context } = answer
  const { verdict, reasons } = context
  return {
    request_id: asked.requestId,
    client: asked.clientId ?? undefined,
    device_id: context.device_id,
    subject_type: show(subject.type),
    subject_id: show(subject.id),
    action: show(action.name),
    resource_type: show(resource.type),
    resource_id: show(resource.id),
    decision,
    verdict,
    reasons: reasons.map(nameOf).join(' '),
    policy: 'policy' in context ? context.policy : undefined,
    receipt: receiptId,
    break_glass: 'break_glass' in context ? context.break_glass.jti : undefined,
  }
}

function nameOf(reason: { readonly code: string; readonly clause?: string }): string {
  return reason.clause ?? reason.code
}

/** Types, ids and names are the caller's words; none of them should be a secret, and one may be. */
function show(text: string): string {
  return isSecretText(text) ? '(not shown)' : text.slice(0, MAX_TEXT_CHARS).toWellFormed()
}
