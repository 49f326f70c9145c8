/**
 * What an attestation token says about a device, in Azure Attestation's names. The values come
 * from a token whose signature was verified and are not yet appraised. An absent member was never
 * measured or never issued; it is neither good nor bad.
 */
export type AttestationClaims = Partial<{
  readonly aikValidated: boolean
  readonly aikPubHash: string
  readonly aikPurposeNamed: boolean
  readonly aikTrustAnchor: string
  readonly aikEnrolled: boolean
  readonly tpmIdentity: string
  readonly tpmVersion: number
  readonly secureBootEnabled: boolean
  readonly secureBootKeys: SecureBootKeys
  readonly bootDebuggingDisabled: boolean
  readonly osKernelDebuggingDisabled: boolean
  readonly hypervisorDebuggingDisabled: boolean
  readonly testSigningDisabled: boolean
  readonly flightSigningNotEnabled: boolean
  readonly codeIntegrityEnabled: boolean
  readonly codeIntegrityPolicy: readonly string[]
  readonly notSafeMode: boolean
  readonly notWinPE: boolean
  readonly vbsEnabled: boolean
  readonly hvciEnabled: boolean
  readonly iommuEnabled: boolean
  readonly bitlockerEnabled: boolean
  readonly bitlockerEnabledValue: number
  readonly WindowsDefenderElamDriverLoaded: boolean
  readonly elamDrivers: readonly string[]
  readonly depPolicy: number
  readonly bootAppSvn: number
  readonly bootMgrSvn: number
  readonly bootCounter: number
  readonly bootRevListInfo: string
  readonly osRevListInfo: string
  readonly vbsReportPresent: boolean
  readonly enclaveAuthorId: string
  readonly enclaveOwnerId: string
  readonly enclaveFamilyId: string
  readonly enclaveImageId: string
  readonly enclaveUniqueId: string
  readonly enclaveSvn: number
  readonly enclavePlatformSvn: number
  readonly enclaveSecureKernelSvn: number
  readonly enclaveFlags: number
}>

/** base64url SHA-256 of the data of each Secure Boot variable. */
export type SecureBootKeys = Partial<
  Record<(typeof SECURE_BOOT_VARIABLES)[number], string | undefined>
>

export const SECURE_BOOT_VARIABLES = ['pk', 'kek', 'db', 'dbx'] as const

export type ClaimName = keyof AttestationClaims

/** When a value was measured: a change of something measured at boot shows after a restart. */
export type MeasuredAt = 'boot' | 'resume' | 'now'

/** What an agent sends that the claim is made of, and that the verifier has to find right. */
export type ClaimEvidence = 'key_certificate' | 'quote' | 'boot_log' | 'enclave_report'

export type ClaimDeclaration<T = unknown> = {
  readonly kind: KindOf<T>
  readonly measuredAt: MeasuredAt
  readonly evidence: ClaimEvidence
  readonly meaning: string
  /** As it stands in a token. */
  readonly example: T
  /** Other spellings under which Azure's documentation issues the same claim. */
  readonly aliases?: readonly string[]
}

export type ClaimKind = 'bool' | 'int' | 'text' | 'texts' | 'secureBootKeys'

type KindOf<T> = unknown extends T
  ? ClaimKind
  : T extends boolean
    ? 'bool'
    : T extends number
      ? 'int'
      : T extends string
        ? 'text'
        : T extends readonly string[]
          ? 'texts'
          : 'secureBootKeys'

const madeOf =
  <const W extends MeasuredAt, const V extends ClaimEvidence>(measuredAt: W, evidence: V) =>
  <const K extends ClaimKind, const E>(kind: K, meaning: string, example: E) =>
    ({ kind, measuredAt, evidence, meaning, example }) as const
const certified = madeOf('now', 'key_certificate')
const quoted = madeOf('now', 'quote')
const atBoot = madeOf('boot', 'boot_log')
const enclave = madeOf('now', 'enclave_report')

/** An example of 32 bytes: the SHA-256 of nothing. */
const HASH = '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU'

/** The one list of known claims: reading tokens, types in policies, lint and docs follow it. */
export const CLAIMS: {
  readonly [N in ClaimName]-?: ClaimDeclaration<NonNullable<AttestationClaims[N]>>
} = {
  aikValidated: certified(
    'bool',
    'The attestation key has a valid certificate of its TPM maker.',
    true,
  ),
  aikPubHash: quoted(
    'text',
    'base64 SHA-256 of the public attestation key in DER.',
    '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=',
  ),
  aikPurposeNamed: certified(
    'bool',
    'That certificate says that it is one of an attestation key.',
    true,
  ),
  aikTrustAnchor: certified(
    'text',
    'base64url SHA-256 of the root certificate behind that key, in DER.',
    HASH,
  ),
  aikEnrolled: certified(
    'bool',
    'The TPM proved that key here: its endorsement key has that root.',
    true,
  ),
  tpmIdentity: certified(
    'text',
    'base64url of the 32 bytes that name the TPM; its device is named by them.',
    HASH,
  ),
  tpmVersion: quoted('int', 'Major version of the TPM.', 2),
  secureBootEnabled: atBoot('bool', 'Secure Boot was on.', true),
  secureBootKeys: atBoot('secureBootKeys', 'SHA-256 of the Secure Boot variables.', { db: HASH }),
  bootDebuggingDisabled: atBoot('bool', 'The boot loader was not open to a debugger.', true),
  osKernelDebuggingDisabled: atBoot('bool', 'The kernel was not open to a debugger.', true),
  hypervisorDebuggingDisabled: atBoot('bool', 'The hypervisor was not open to a debugger.', true),
  testSigningDisabled: atBoot('bool', 'Test-signed code was not accepted.', true),
  flightSigningNotEnabled: atBoot('bool', 'Code signed for preview builds was not accepted.', true),
  codeIntegrityEnabled: atBoot('bool', 'Only signed kernel code was loaded.', true),
  codeIntegrityPolicy: atBoot('texts', 'base64url of each code integrity policy.', ['BwAAAA']),
  notSafeMode: atBoot('bool', 'Windows was not started in safe mode.', true),
  notWinPE: atBoot('bool', 'Windows itself was started, not its installer or recovery.', true),
  vbsEnabled: atBoot('bool', 'Virtualization-based security was on.', true),
  hvciEnabled: atBoot('bool', 'Memory integrity (HVCI) was on.', true),
  iommuEnabled: atBoot('bool', 'DMA was protected by an IOMMU.', true),
  bitlockerEnabled: atBoot('bool', 'The system drive was unlocked by BitLocker.', true),
  bitlockerEnabledValue: atBoot(
    'int',
    'How BitLocker unlocked it: 4 by the TPM, 16 with a PIN, 64 by recovery.',
    4,
  ),
  WindowsDefenderElamDriverLoaded: atBoot(
    'bool',
    "Defender's early-launch driver was loaded.",
    true,
  ),
  elamDrivers: atBoot('texts', 'Early-launch anti-malware drivers that were loaded.', ['WdBoot']),
  depPolicy: atBoot('int', 'Data execution prevention policy: 2 always off, 3 always on.', 3),
  bootAppSvn: atBoot('int', 'Security version of the OS loader.', 1),
  bootMgrSvn: atBoot('int', 'Security version of the boot manager.', 1),
  bootCounter: atBoot('int', 'Number of boots.', 271),
  bootRevListInfo: atBoot(
    'text',
    'base64url of the boot revocation list information.',
    'gNiOXbQZ1gEg',
  ),
  osRevListInfo: atBoot('text', 'base64url of the OS revocation list information.', 'gNiOXbQZ1gEg'),
  vbsReportPresent: {
    ...enclave('bool', 'A report of a VBS enclave was verified.', true),
    aliases: ['vsmReportPresent'],
  },
  enclaveAuthorId: enclave('text', 'base64url of the author of the enclave image, 32 bytes.', HASH),
  enclaveOwnerId: enclave(
    'text',
    'base64url of the owner named by the host, 32 bytes: no identity.',
    HASH,
  ),
  enclaveFamilyId: enclave(
    'text',
    'base64url of the family of the enclave image, 16 bytes.',
    '_v4AAAAAAAAAAAAAAAAAAA',
  ),
  enclaveImageId: enclave(
    'text',
    'base64url of the enclave image, 16 bytes.',
    'GRcSAAEFIBMABRQDEgEiBQ',
  ),
  enclaveUniqueId: enclave(
    'text',
    'base64url of the measurement of the enclave code, 32 bytes.',
    HASH,
  ),
  enclaveSvn: enclave('int', 'Security version of the enclave image.', 7),
  enclavePlatformSvn: enclave('int', 'Security version of the platform under the enclave.', 2),
  enclaveSecureKernelSvn: enclave('int', 'Security version of the secure kernel.', 1),
  enclaveFlags: enclave('int', 'Debug flags of the enclave: 0 means that nobody can debug it.', 0),
}

export const CLAIM_NAMES = Object.keys(CLAIMS) as readonly ClaimName[]
