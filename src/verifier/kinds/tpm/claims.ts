import { toBase64, toBase64Url } from '../../../base/encoding.ts'
import type { BootClaims } from '../../../evidence/event-log/claims.ts'
import { fingerprintOf } from '../../../evidence/x509/fingerprint.ts'
import { nameTpm } from '../../enrolment/enrolled-key.ts'
import type { CertifiedPath } from '../../steps/certified-path.ts'
import type { Findings, KindClaims } from '../kind.ts'
import { type Aik, type AikTrust, namesAikPurpose } from './attestation-key.ts'

/** The claims of TPM evidence. A claim whose value was not measured is left out. */
export const TPM_CLAIMS = {
  azure: [
    'WindowsDefenderElamDriverLoaded',
    'aikPubHash',
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
    'tpmVersion',
    'vbsEnabled',
  ],
  own: ['aikEnrolled', 'aikPurposeNamed', 'aikTrustAnchor', 'tpmIdentity'],
} as const satisfies KindClaims

type TpmClaim = (typeof TPM_CLAIMS)['azure' | 'own'][number]

const TPM_VERSION = 2

/** The claims of a proven attestation key and of the boot that its quotes prove. */
export function claimsOfTpm(input: {
  readonly aik: Aik
  /** How a trust anchor vouches for the key, if one does. */
  readonly path: CertifiedPath | undefined
  readonly trust: AikTrust
  readonly boot: BootClaims
}): Findings['claims'] {
  const { aik, path, trust, boot } = input
  // The TPM that the key lives in, as far as whoever certified the key names one.
  const tpm = path && aik.certificate && nameTpm(aik.certificate, trust.enrolment)
  return {
    ...boot,
    aikPubHash: toBase64(aik.hash),
    aikPurposeNamed: path && namesAikPurpose(aik.certificate),
    aikTrustAnchor: path && fingerprintOf(path.anchor),
    aikValidated: path !== undefined,
    aikEnrolled: tpm?.enrolled,
    tpmIdentity: tpm?.identity && toBase64Url(tpm.identity),
    tpmVersion: TPM_VERSION,
  } satisfies Partial<Record<TpmClaim, unknown>>
}
