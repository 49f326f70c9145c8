import type { AttestationClaims } from './claims.ts'

/**
 * Whether somebody that we believe vouches for the hardware behind evidence: its attestation key is
 * certified up to a trust anchor, by our own enrolment of its TPM, or its provider says so under a
 * pinned policy. A claim that was not made vouches for nothing.
 */
export function isVouched({ aikValidated }: Pick<AttestationClaims, 'aikValidated'>): boolean {
  return aikValidated === true
}
