import { z } from 'zod'

/** None, denials alone, or one in `every` decisions: all where that is 1. */
export type DecisionLogMode =
  | { readonly kind: 'off' }
  | { readonly kind: 'denials' }
  | { readonly kind: 'sample'; readonly every: number }

const DECISION_LOG_FORM = 'must be off, denials, all, or sample:N for one in N decisions, N from 1'

/** Which decisions are written to the log. */
export const decisionLog = z
  .string()
  .regex(/^(?:off|denials|all|sample:[1-9]\d{0,8})$/, DECISION_LOG_FORM)
  .default('off')
  .transform((text): DecisionLogMode => {
    if (text === 'off' || text === 'denials') return { kind: text }
    return { kind: 'sample', every: text === 'all' ? 1 : Number(text.slice('sample:'.length)) }
  })
