/**
 * What a boot log proves of a boot, under Azure Attestation's names where it has one. Every claim
 * was measured at boot; one that is absent was never measured, which is neither yes nor no.
 */
export type BootClaims = Partial<{
  secureBootEnabled: boolean
  /** Base64url SHA-256 of the data of the variables PK, KEK, db and dbx. */
  secureBootKeys: { pk?: string; kek?: string; db?: string; dbx?: string }
  bootDebuggingDisabled: boolean
  osKernelDebuggingDisabled: boolean
  hypervisorDebuggingDisabled: boolean
  testSigningDisabled: boolean
  flightSigningNotEnabled: boolean
  codeIntegrityEnabled: boolean
  /** Base64url of the raw SI_POLICY payloads. */
  codeIntegrityPolicy: string[]
  notSafeMode: boolean
  notWinPE: boolean
  vbsEnabled: boolean
  hvciEnabled: boolean
  iommuEnabled: boolean
  bitlockerEnabled: boolean
  /** How the volume was unlocked: 1 cached, 2 media, 4 TPM, 0x10 PIN, 0x20 external, 0x40 recovery. */
  bitlockerEnabledValue: number
  WindowsDefenderElamDriverLoaded: boolean
  /** Key names of the registered early-launch drivers. */
  elamDrivers: string[]
  /** 0 opt-in, 1 opt-out, 2 always off, 3 always on. */
  depPolicy: number
  bootAppSvn: number
  bootMgrSvn: number
  bootCounter: number
  /** Base64url of the raw payloads. */
  bootRevListInfo: string
  osRevListInfo: string
}>
