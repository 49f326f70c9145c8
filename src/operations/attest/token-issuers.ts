import { pinnedPolicies } from '../../appraisal/reference-values.ts'
import type { KeySets, KeySetsFailure } from '../../azure/key-sets.ts'
import { ok, type Result } from '../../base/result.ts'
import type { TokenIssuer } from '../../evidence/token/attestation-token.ts'
import type { DecodedAttestationToken } from '../../evidence/token/attestation-token-kind.ts'
import type { RulesReader } from '../release/rules-in-force.ts'

/** Whose attestation tokens are accepted. */
export type TokenIssuers = {
  /**
   * The issuers that a token is to be verified against, the one that it names among them if it is a
   * configured one. Of the token only `iss` and `kid` are looked at, and neither is believed: they
   * choose what is fetched from a configured address.
   */
  readonly of: (
    token: DecodedAttestationToken,
  ) => Promise<Result<readonly TokenIssuer[], KeySetsFailure>>
}

export function createTokenIssuers(input: {
  /** Our own verifier, with the key that a token names; unless the configuration leaves it out. */
  readonly builtIn: ((kid: string | undefined) => Promise<TokenIssuer>) | undefined
  /** URLs of Azure providers. */
  readonly providers: readonly string[]
  readonly keySets: KeySets
  readonly rules: RulesReader
  readonly clock: () => Date
}): TokenIssuers {
  const { builtIn, providers, keySets, rules, clock } = input
  const own = async (kid: string | undefined) =>
    ok(builtIn === undefined ? [] : [await builtIn(kid)])
  return {
    async of({ header, payload }) {
      const kid = typeof header.kid === 'string' ? header.kid : undefined
      const issuer = providers.find((provider) => provider === payload.iss)
      if (issuer === undefined) return own(kid)
      const keys = await keySets.keySetFor(issuer, kid)
      if (!keys.ok) return keys
      // Which of the versions in force is the device's is known when it is: that one appraises it.
      const { referenceValues } = await rules.recent()
      const now = clock()
      const attestationPolicyHashes = referenceValues.flatMap((values) =>
        pinnedPolicies(values, issuer, now),
      )
      return ok([{ issuer, keys: keys.value, attestationPolicyHashes }])
    },
  }
}
