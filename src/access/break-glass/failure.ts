import { err } from '../../base/result.ts'

export const BREAK_GLASS_REASONS = [
  'break_glass_not_configured',
  'break_glass_too_large',
  'break_glass_malformed',
  'break_glass_header_refused',
  'break_glass_signature_invalid',
  'break_glass_too_few_signatures',
  'break_glass_wrong_audience',
  'break_glass_lifetime_too_long',
  'break_glass_not_yet_valid',
  'break_glass_expired',
  'break_glass_wrong_device',
] as const

/** Why a token opens nothing. Constant words: nothing of a token that nobody signed is repeated. */
export type BreakGlassFailure = {
  readonly reason: (typeof BREAK_GLASS_REASONS)[number]
  /** The part that is wrong, in our words: `envelope`, `header`, or a member of the payload. */
  readonly at?: string
  /** Of a token that enough keys signed. */
  readonly jti?: string
}

export function refused(
  reason: BreakGlassFailure['reason'],
  more: Omit<BreakGlassFailure, 'reason'> = {},
) {
  return err<BreakGlassFailure>({ reason, ...more })
}
