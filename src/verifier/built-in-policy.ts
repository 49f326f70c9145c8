import { policyHashOf } from '../evidence/token/attestation-token.ts'

/**
 * The PCRs that a quote must cover: what firmware (0 to 7) and Windows (11 to 14) measure. An agent
 * that could leave one out could also leave out what was measured into it.
 */
export const REQUIRED_PCRS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14]

/**
 * Every claim that the built-in verifier issues from evidence, in the order in which a token lists
 * them. A claim whose value was not measured is left out.
 */
export const ISSUED_CLAIMS = [
  'WindowsDefenderElamDriverLoaded',
  'aikEnrolled',
  'aikPubHash',
  'aikPurposeNamed',
  'aikTrustAnchor',
  'aikValidated',
  'bitlockerEnabled',
  'bitlockerEnabledValue',
  'bootAppSvn',
  'bootCounter',
  'bootDebuggingDisabled',
  'bootMgrSvn',
  'bootRevListInfo',
  'codeIntegrityEnabled',
  'codeIntegrityPolicy',
  'depPolicy',
  'elamDrivers',
  'enclaveAuthorId',
  'enclaveFamilyId',
  'enclaveFlags',
  'enclaveImageId',
  'enclaveOwnerId',
  'enclavePlatformSvn',
  'enclaveSecureKernelSvn',
  'enclaveSvn',
  'enclaveUniqueId',
  'flightSigningNotEnabled',
  'hvciEnabled',
  'hypervisorDebuggingDisabled',
  'iommuEnabled',
  'notSafeMode',
  'notWinPE',
  'osKernelDebuggingDisabled',
  'osRevListInfo',
  'secureBootEnabled',
  'secureBootKeys',
  'testSigningDisabled',
  'tpmIdentity',
  'tpmVersion',
  'vbsEnabled',
  'vbsReportPresent',
] as const

export type IssuedClaim = (typeof ISSUED_CLAIMS)[number]

/**
 * Not in the policy's text: Azure Attestation has no such claims to pass on, and another text would
 * be another hash, under which no evidence is recorded yet.
 */
const BEYOND_POLICY: readonly IssuedClaim[] = [
  'aikEnrolled',
  'aikPurposeNamed',
  'aikTrustAnchor',
  'tpmIdentity',
]

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
    ...ISSUED_CLAIMS.filter((claim) => !BEYOND_POLICY.includes(claim)).map(issue),
    '};',
    '',
  ].join('\n')
}
