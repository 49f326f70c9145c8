import type { Documents } from '../../access/assess.ts'
import { CLAIM_NAMES, type ClaimName } from '../../appraisal/claims.ts'
import type { CompiledClause } from '../../policy/document/compile.ts'
import { mayName } from '../../policy/document/reads.ts'

/** What appraisal reads, whatever a policy asks for; a test holds this list against it. */
export const APPRAISED_CLAIMS: readonly ClaimName[] = [
  'aikValidated',
  'secureBootEnabled',
  'bootDebuggingDisabled',
  'osKernelDebuggingDisabled',
  'hypervisorDebuggingDisabled',
  'testSigningDisabled',
  'codeIntegrityEnabled',
  'notSafeMode',
  'notWinPE',
  'vbsEnabled',
  'hvciEnabled',
  'vbsReportPresent',
  'enclaveAuthorId',
  'enclaveFamilyId',
  'enclaveImageId',
  'enclaveSvn',
  'enclavePlatformSvn',
  'enclaveFlags',
]

/** What the appraisal of the origin reads, where trust anchors are listed. */
const ORIGIN_CLAIMS: readonly ClaimName[] = ['aikEnrolled', 'aikPurposeNamed', 'aikTrustAnchor']

/** Claims that nothing depends on under any of these rules. */
export function listUnreadClaims(rules: readonly Documents[]): readonly ClaimName[] {
  const clauses = rules.flatMap(({ policy }) => policy.deviceClauses)
  const listsAnchors = rules.some(({ referenceValues }) => referenceValues.anchors.size > 0)
  const appraised = listsAnchors ? [...APPRAISED_CLAIMS, ...ORIGIN_CLAIMS] : APPRAISED_CLAIMS
  return CLAIM_NAMES.filter(
    (name) => !appraised.includes(name) && !clauses.some((clause) => mayName(clause, [name])),
  )
}

/** What a clause can read of an attestation beside claims and their appraisal. */
const CIRCUMSTANCES = ['issuer', 'policy_hash', 'attested_at', 'valid_until']

/** Whether equal claims give this clause equal outcomes, whichever device and when it attested. */
export function dependsOnClaimsAlone(clause: CompiledClause): boolean {
  const { when, require } = clause
  if (require.roots.has('device') || when?.roots.has('device')) return false
  return !mayName(clause, CIRCUMSTANCES)
}
