import type { TokenCredential } from '@azure/identity'
import { err, ok, type Result } from '../../base/result.ts'
import { policyHashOf } from '../../evidence/token/attestation-token.ts'
import type { RelayFailure } from '../failure.ts'
import type { KeySets, KeySetsFailure } from '../key-sets.ts'
import { requestPolicy } from './admin-client.ts'
import {
  type PolicyAnswerFailure,
  readAnswerKid,
  type VerifiedPolicyAnswer,
  verifyPolicyAnswer,
} from './policy-answer.ts'
import { hashPolicyToken, readPolicyToken } from './policy-token.ts'

/** The TPM policy of a provider, as its verified answer says. */
export type PolicyInForce =
  | { readonly text: string; readonly hash: string; readonly isSigned: boolean }
  /** None was ever set: the provider attests no TPM. */
  | { readonly text: undefined; readonly hash: undefined; readonly isSigned: false }

export type PolicyProviderFailure = RelayFailure | KeySetsFailure | PolicyAnswerFailure

export type PolicyProvider = {
  readonly url: string
  readonly readPolicy: () => Promise<Result<PolicyInForce, PolicyProviderFailure>>
  /**
   * Publishes a policy in its JWS. Succeeds when the provider has confirmed this very JWS and then
   * tells the same policy when it is asked.
   */
  readonly publishPolicy: (
    policyToken: string,
  ) => Promise<Result<PolicyInForce, PolicyProviderFailure>>
}

export type PolicyProviderInput = {
  /** `https` origin; `iss` of its answers. */
  readonly url: string
  readonly credential: TokenCredential
  /** For whom the credential asks tokens. */
  readonly scope: string
  readonly timeoutMs: number
  readonly clockSkewSeconds: number
  /** Must have `url` among its issuers. */
  readonly keySets: KeySets
  readonly clock: () => Date
  readonly fetch?: typeof fetch
}

const NO_POLICY: PolicyInForce = { text: undefined, hash: undefined, isSigned: false }

/** The policy of one provider, to be read and set. Nothing is believed that is not verified. */
export function createPolicyProvider(input: PolicyProviderInput): PolicyProvider {
  const ask = (policyToken: string | undefined) => askVerified(input, policyToken)

  const readPolicy = async (): Promise<Result<PolicyInForce, PolicyProviderFailure>> => {
    const answer = await ask(undefined)
    if (!answer.ok) return answer
    const { policyToken } = answer.value
    if (policyToken === undefined) return err({ reason: 'policy_answer_mismatch' })
    const stored = readPolicyToken(policyToken)
    if (stored === undefined) return err({ reason: 'policy_answer_malformed' })
    const { text, isSigned } = stored
    return ok(text === undefined ? NO_POLICY : { text, hash: policyHashOf(text), isSigned })
  }

  return {
    url: input.url,
    readPolicy,
    async publishPolicy(policyToken) {
      const wanted = readPolicyToken(policyToken)
      if (wanted?.text === undefined) throw new TypeError('not the JWS of a policy')
      const answer = await ask(policyToken)
      if (!answer.ok) return answer
      const { result, policyTokenHash } = answer.value
      if (result !== 'Updated' || policyTokenHash !== hashPolicyToken(policyToken)) {
        return err({ reason: 'policy_answer_mismatch' })
      }
      const inForce = await readPolicy()
      if (inForce.ok && inForce.value.text !== wanted.text) {
        return err({ reason: 'policy_answer_mismatch' })
      }
      return inForce
    },
  }
}

async function askVerified(
  input: PolicyProviderInput,
  policyToken: string | undefined,
): Promise<Result<VerifiedPolicyAnswer, PolicyProviderFailure>> {
  const { url, clock, clockSkewSeconds, keySets } = input
  const send: typeof fetch = input.fetch ?? ((...request) => fetch(...request))
  const answer = await requestPolicy({ ...input, fetch: send, policyToken })
  if (!answer.ok) return answer
  const keys = await keySets.keySetFor(url, readAnswerKid(answer.value))
  if (!keys.ok) return keys
  const now = clock()
  return await verifyPolicyAnswer(answer.value, {
    issuer: url,
    keys: keys.value,
    now,
    clockSkewSeconds,
  })
}
