import type { Decision } from '../access/decide.ts'
import { MAX_TOLD_REASON_CHARS, MAX_TOLD_REASONS } from './limits.ts'

/** What an identity provider puts into its tokens of a decision. */
export type ToldDecision = {
  readonly compliance: 'compliant' | 'not-compliant'
  /** The device that it was decided about, if it was about one. */
  readonly deviceId: string | undefined
  /** Codes of what is wrong, and of clauses their ids; empty where it is granted. */
  readonly reasons: readonly string[]
}

export function tellDecision({ decision, context }: Decision): ToldDecision {
  const codes = context.reasons.map(({ code, clause }) => clause ?? code)
  const reasons = [...new Set(codes.map((code) => code.slice(0, MAX_TOLD_REASON_CHARS)))]
  return {
    compliance: decision ? 'compliant' : 'not-compliant',
    deviceId: context.device_id,
    reasons: reasons.slice(0, MAX_TOLD_REASONS),
  }
}
