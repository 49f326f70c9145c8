/**
 * What a virtual machine measures when it starts. Names follow what is switched on or off on the
 * machine, not the claims, which state some of them the other way round.
 */
export type BootState = {
  readonly secureBoot: boolean
  readonly bootDebugging: boolean
  readonly kernelDebugging: boolean
  readonly hypervisorDebugging: boolean
  readonly testSigning: boolean
  readonly flightSigning: boolean
  readonly codeIntegrity: boolean
  readonly safeMode: boolean
  readonly winPe: boolean
  /** Without it there is no secure kernel, so no identity keys are measured either. */
  readonly vbs: boolean
  readonly hvci: boolean
  readonly iommu: boolean
  /** Mask of the ways the system volume was unlocked: 0 none, 4 TPM, 0x10 PIN, 0x40 recovery. */
  readonly bitlockerUnlock: number
  /** Names of the early-launch antimalware drivers that were loaded. */
  readonly elamDrivers: readonly string[]
  /** Boot drivers beside the kernel's own modules; they make up most of a real log's size. */
  readonly bootDrivers: number
  /** 0 opt-in, 1 opt-out, 2 always off, 3 always on. */
  readonly depPolicy: number
  readonly bootManagerSvn: number
  readonly bootAppSvn: number
  readonly bootCounter: number
  /** When the lists of revoked boot components were made. */
  readonly revocationListDate: Date
}

export const HEALTHY_BOOT: BootState = {
  secureBoot: true,
  bootDebugging: false,
  kernelDebugging: false,
  hypervisorDebugging: false,
  testSigning: false,
  flightSigning: false,
  codeIntegrity: true,
  safeMode: false,
  winPe: false,
  vbs: true,
  hvci: true,
  iommu: true,
  bitlockerUnlock: 4,
  elamDrivers: ['Windows Defender'],
  bootDrivers: 80,
  depPolicy: 0,
  bootManagerSvn: 7,
  bootAppSvn: 7,
  bootCounter: 42,
  revocationListDate: new Date('2026-06-09T00:00:00Z'),
}
