import { policyHashOf } from '../evidence/token/attestation-token.ts'
import { BUILT_IN_KINDS } from './kinds/built-in.ts'
import { listIssuedClaims } from './kinds/kind.ts'
import { REQUIRED_PCRS } from './kinds/tpm/required-pcrs.ts'

/** Every claim that the built-in verifier issues from evidence, in the order of its tokens. */
export const ISSUED_CLAIMS = listIssuedClaims(BUILT_IN_KINDS)

/**
 * What the built-in verifier does, written in Azure Attestation's policy grammar 1.2, so that its
 * tokens carry a policy hash like any provider's. It permits whatever verifies and issues what was
 * measured; judging that is the relying party's. Where there are trust anchors the verifier is
 * stricter than this text: it wants a valid certificate, and names the anchor of its chain.
 */
export const BUILT_IN_POLICY = writePolicy()

/** `x-ms-policy-hash` of every token that the built-in verifier issues. */
export const BUILT_IN_POLICY_HASH = policyHashOf(BUILT_IN_POLICY)

function writePolicy(): string {
  // Azure Attestation has no claims of ours to pass on, and another text would be another hash, under
  // which no evidence is recorded yet.
  const known = new Set(BUILT_IN_KINDS.flatMap(({ claims }) => claims.azure))
  const mask = REQUIRED_PCRS.reduce((bits, pcr) => bits | (1 << pcr), 0)
  const issue = (claim: string) =>
    `  c:[type=="${claim}", issuer=="AttestationService"] => issue(type="${claim}", value=c.value);`
  return [
    'version=1.2;',
    'configurationrules',
    '{',
    `  => issueproperty(type="required_pcr_mask", value=${mask});`,
    '  => issueproperty(type="require_valid_aik_cert", value=false);',
    '};',
    'authorizationrules',
    '{',
    '  => permit();',
    '};',
    'issuancerules',
    '{',
    ...ISSUED_CLAIMS.filter((claim) => known.has(claim)).map(issue),
    '};',
    '',
  ].join('\n')
}
