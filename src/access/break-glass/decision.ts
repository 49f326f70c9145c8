import { ok, type Result } from '../../base/result.ts'
import type { Texts } from '../../policy/document/document.ts'
import type { DeviceNameFailure } from '../device-of-request.ts'
import { type LanguageRange, pickText } from '../language.ts'
import type { BreakGlassFailure } from './failure.ts'
import { opensFor, type VerifiedBreakGlass } from './verify.ts'

/**
 * The answer to an AuthZEN question that came with a token. `unknown`, because nobody looked at the
 * device; no hashes of rules, because none decided; no receipt, because it names those.
 */
export type BreakGlassDecision = {
  readonly decision: boolean
  readonly context: {
    readonly verdict: 'unknown'
    readonly reasons: readonly {
      readonly code: BreakGlassFailure['reason']
      readonly title: string
      readonly repair: string
    }[]
    readonly reported: readonly []
    readonly device_id?: string
    /** Of the token: ISO 8601 for `exp`. */
    readonly break_glass: {
      readonly jti: string
      readonly sub: string
      readonly exp: string
      readonly reason: string
    }
    readonly reason_admin?: { readonly '403': string }
    readonly reason_user?: { readonly '403': string }
  }
}

const WRONG_DEVICE: Texts = {
  en: {
    title: 'The emergency access is for another device',
    repair: 'Use the device that it was issued for, or ask your administrator for another one.',
  },
  de: {
    title: 'Der Notfallzugang gilt für ein anderes Gerät',
    repair:
      'Verwenden Sie das Gerät, für das er ausgestellt wurde, oder bitten Sie Ihre ' +
      'Administration um einen anderen.',
  },
}

/** Grants what a token opens for. */
export function decideBreakGlass(
  { claims }: VerifiedBreakGlass,
  device: Result<string, DeviceNameFailure>,
): Result<BreakGlassDecision, BreakGlassFailure> {
  const open = opensFor(claims, device)
  if (!open.ok) return open
  const named = device.ok ? { device_id: device.value } : {}
  return ok({ decision: true, context: { ...contextOf(claims), ...named } })
}

/** The answer to a question of a batch that the token of the batch does not open for. */
export function denyBreakGlass(
  { claims }: VerifiedBreakGlass,
  why: { readonly failure: BreakGlassFailure; readonly languages: readonly LanguageRange[] },
): BreakGlassDecision {
  const text = pickText(WRONG_DEVICE, why.languages)
  const code = why.failure.reason
  return {
    decision: false,
    context: {
      ...contextOf(claims),
      reasons: [{ code, title: text.title, repair: text.repair }],
      reason_admin: { '403': `unknown: ${code}` },
      reason_user: { '403': `${text.title}. ${text.repair}` },
    },
  }
}

function contextOf({ jti, sub, exp, reason }: VerifiedBreakGlass['claims']) {
  return {
    verdict: 'unknown',
    reasons: [],
    reported: [],
    break_glass: { jti, sub, exp: new Date(exp * 1000).toISOString(), reason },
  } as const
}
