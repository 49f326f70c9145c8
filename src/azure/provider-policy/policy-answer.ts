import { isNumericDate } from '../../base/numeric-date.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { decodeCompactJws, type JsonObject } from '../../evidence/jws/compact-jws.ts'
import { verifyJwsSignature } from '../../evidence/jws/jws-signature.ts'
import type { IssuerKey, KeySet } from '../../evidence/jws/key-set.ts'
import { isPolicyAnswer } from '../../evidence/token/attestation-token-kind.ts'

/** Why an answer of a provider's policy interface is not believed, in the order of the checks. */
export const POLICY_ANSWER_REASONS = [
  'policy_answer_malformed',
  'policy_answer_algorithm_refused',
  'policy_answer_issuer_mismatch',
  'policy_answer_key_unknown',
  'policy_answer_key_expired',
  'policy_answer_signature_invalid',
  'policy_answer_not_one',
  'policy_answer_expired',
  'policy_answer_not_yet_valid',
  'policy_answer_mismatch',
] as const

export type PolicyAnswerFailure = { readonly reason: (typeof POLICY_ANSWER_REASONS)[number] }

/** The claims of a policy answer that passed every check of `verifyPolicyAnswer`. */
export type VerifiedPolicyAnswer = {
  /** JWS of the policy in force. */
  readonly policyToken: string | undefined
  /** What a change came to: `Updated` or `Removed`. */
  readonly result: string | undefined
  /** base64url SHA-256 of the JWS that was published. */
  readonly policyTokenHash: string | undefined
}

export type VerifyPolicyAnswerOptions = {
  /** The provider that was asked, as in `iss`. */
  readonly issuer: string
  readonly keys: KeySet
  readonly now: Date
  readonly clockSkewSeconds: number
}

/** `kid` of an answer that is not verified yet, to find the key set with. */
export function readAnswerKid(token: string): string | undefined {
  const kid = decodeCompactJws(token)?.header.kid
  return typeof kid === 'string' ? kid : undefined
}

/**
 * Verifies the token in an answer about policies (RFC 7515, RFC 7519 §7.2). It is signed with a key
 * that all providers of a region share, so `iss` is what makes it this provider's; attestation
 * results, which are signed with the same key, are told apart by their claims.
 */
export async function verifyPolicyAnswer(
  token: string,
  options: VerifyPolicyAnswerOptions,
): Promise<Result<VerifiedPolicyAnswer, PolicyAnswerFailure>> {
  const jws = decodeCompactJws(token)
  if (jws === undefined) return refuse('policy_answer_malformed')
  const { header, payload, signature } = jws
  if (header.alg !== 'RS256' || Object.hasOwn(header, 'crit')) {
    return refuse('policy_answer_algorithm_refused')
  }
  if (payload.iss !== options.issuer) return refuse('policy_answer_issuer_mismatch')
  const key = typeof header.kid === 'string' ? options.keys.keys.get(header.kid) : undefined
  if (key === undefined) return refuse('policy_answer_key_unknown')
  if (!isKeyValid(key, options)) return refuse('policy_answer_key_expired')
  const signed = { compact: token, signature, key: key.key, algorithm: 'RS256' } as const
  if (!(await verifyJwsSignature(signed))) return refuse('policy_answer_signature_invalid')
  if (!isPolicyAnswer(payload)) return refuse('policy_answer_not_one')
  return checkTimes(payload, options) ?? ok(readClaims(payload))
}

function isKeyValid({ validity }: IssuerKey, options: VerifyPolicyAnswerOptions): boolean {
  if (validity === undefined) return true
  const now = options.now.getTime()
  const skew = options.clockSkewSeconds * 1000
  return now + skew >= validity.notBefore.getTime() && now - skew <= validity.notAfter.getTime()
}

/** Written so that a clock that is no number refuses. */
function checkTimes({ exp, nbf }: JsonObject, options: VerifyPolicyAnswerOptions) {
  const now = options.now.getTime() / 1000
  const { clockSkewSeconds: skew } = options
  if (!isNumericDate(exp) || !(now < exp + skew)) return refuse('policy_answer_expired')
  if (!isNumericDate(nbf) || !(now >= nbf - skew)) return refuse('policy_answer_not_yet_valid')
  return undefined
}

function readClaims(payload: JsonObject): VerifiedPolicyAnswer {
  const textOf = (name: string) => {
    const value = payload[name]
    return typeof value === 'string' ? value : undefined
  }
  return {
    policyToken: textOf('x-ms-policy'),
    result: textOf('x-ms-policy-result'),
    policyTokenHash: textOf('x-ms-policy-token-hash'),
  }
}

function refuse(reason: PolicyAnswerFailure['reason']) {
  return err({ reason })
}
