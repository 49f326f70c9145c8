import { digestText, equalBytes } from '../../base/digest.ts'
import { fromBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { PurposeKeys } from '../../keys/sealing.ts'
import type { Form } from '../../oauth/token-form.ts'
import { type ProofSpending, spendOnce } from '../oauth/spend-once.ts'
import { openCode } from './code.ts'

/** Why a proven client gets no ID token for a code. */
export const SIGN_IN_CODE_REASONS = [
  'sign_in_grant_type_refused',
  'sign_in_code_refused',
  'sign_in_code_expired',
  /** Of another client, or for another place. */
  'sign_in_code_of_another',
  'sign_in_code_verifier_refused',
  'sign_in_code_redeemed',
] as const

export type SignInCodeFailure = { readonly reason: (typeof SIGN_IN_CODE_REASONS)[number] }

export type RedeemCodeDependencies = ProofSpending & {
  readonly codeKeys: PurposeKeys
  readonly clock: () => Date
}

/**
 * Hands out the ID token of a code (OpenID Connect Core 1.0 §3.1.3): to the client that it was made for and that
 * has proven itself, for the place that it went to, and once for all processes.
 */
export async function redeemCode(
  dependencies: RedeemCodeDependencies,
  { clientId, form }: { readonly clientId: string; readonly form: Form },
): Promise<Result<string, SignInCodeFailure>> {
  const { codeKeys, clock } = dependencies
  if (form.get('grant_type') !== 'authorization_code') {
    return err({ reason: 'sign_in_grant_type_refused' })
  }
  const code = openCode(codeKeys, form.get('code') ?? '')
  if (code === undefined) return err({ reason: 'sign_in_code_refused' })
  if (code.clientId !== clientId || code.redirectUri !== form.get('redirect_uri')) {
    return err({ reason: 'sign_in_code_of_another' })
  }
  if (clock() >= code.expiresAt) return err({ reason: 'sign_in_code_expired' })
  if (!isVerifier(form.get('code_verifier'), code.codeChallenge)) {
    return err({ reason: 'sign_in_code_verifier_refused' })
  }
  const once = { names: ['sign-in code', code.id], expiresAt: code.expiresAt }
  const isFirst = await spendOnce(dependencies, once)
  return isFirst ? ok(code.idToken) : err({ reason: 'sign_in_code_redeemed' })
}

/** RFC 7636 §4.6; RFC 9700 §2.1.1: no verifier where there was no challenge, too. */
function isVerifier(verifier: string | undefined, challenge: string | null): boolean {
  if (challenge === null || verifier === undefined) {
    return challenge === null && verifier === undefined
  }
  const expected = fromBase64Url(challenge)
  return expected !== undefined && equalBytes(digestText('sha256', verifier), expected)
}
