import type { KeyObject } from 'node:crypto'
import { toUtf8 } from '../base/encoding.ts'
import type { BootState } from './boot-state.ts'
import { ByteWriter } from './byte-writer.ts'
import { nameDigest, separator } from './firmware-events.ts'
import {
  CALG_SHA_256,
  SIPA,
  sipaBytes,
  sipaCodeIntegrityPolicy,
  sipaFlag,
  sipaGroup,
  sipaRevocationList,
  sipaSecureKernelKey,
  sipaText,
  sipaU32,
  sipaU64,
} from './sipa.ts'
import { type BootEvent, EV } from './tcg-log-encoding.ts'

/** The secure kernel's public keys of one boot: signing (IDKS) and decryption (IDK). */
export type SecureKernelKeys = { readonly signing: KeyObject; readonly decryption: KeyObject }

/** Windows uses PCR 11 for BitLocker, 12 for settings, 13 for modules, 14 for authorities. */
const PCR = { bitlocker: 11, settings: 12, modules: 13, authorities: 14 } as const

const BITLOCKER_START = Uint8Array.of(0x10, 0, 0, 0)
const BITLOCKER_CAP = Uint8Array.of(0xff, 0xff, 0, 0)
const UNLOCK_CACHED = 1
const TRANSFER_TO_WINLOAD = 1
const TRANSFER_TO_KERNEL = 5

const OS_MODULES = [
  '\\Windows\\system32\\ntoskrnl.exe',
  '\\Windows\\system32\\hal.dll',
  '\\Windows\\system32\\CI.dll',
  '\\Windows\\system32\\drivers\\CLFS.SYS',
]
const VBS_MODULES = ['\\Windows\\system32\\hvix64.exe', '\\Windows\\system32\\securekernel.exe']

/** What the Windows boot manager, the loader and the kernel measure: PCRs 11 to 14. */
export function listWindowsEvents(state: BootState, keys: SecureKernelKeys): readonly BootEvent[] {
  return [
    { pcr: PCR.bitlocker, type: EV.compactHash, data: BITLOCKER_START },
    tag(PCR.settings, listBootManagerSettings(state)),
    tag(PCR.modules, [...listLoaderSettings(state), module('\\Windows\\system32\\winload.efi')]),
    { pcr: PCR.authorities, type: EV.eventTag, data: authority('production boot authority') },
    tag(PCR.settings, listWinloadSettings(state)),
    tag(PCR.modules, listWinloadModules(state)),
    tag(PCR.settings, listKernelSettings(state)),
    tag(PCR.modules, listKernelModules(state)),
    tag(PCR.authorities, ['production boot authority', 'early launch authority'].map(authority)),
    ...(state.vbs ? [tag(PCR.settings, listSecureKernelKeys(keys))] : []),
    { pcr: PCR.bitlocker, type: EV.compactHash, data: BITLOCKER_CAP },
    ...[PCR.settings, PCR.modules, PCR.authorities].map((pcr) => separator(pcr, toUtf8('WBCL'))),
  ]
}

function tag(pcr: number, events: readonly Uint8Array[]): BootEvent {
  return { pcr, type: EV.eventTag, data: sipaGroup(SIPA.trustBoundary, events) }
}

function listBootManagerSettings(state: BootState): readonly Uint8Array[] {
  return [
    sipaU64(SIPA.counterId, 0x0141_0001),
    sipaU64(SIPA.eventCounter, state.bootCounter * 4),
    sipaU64(SIPA.bootCounter, state.bootCounter),
    loadedAt('\\Windows\\system32\\winload.efi', 0x0094_4000),
    sipaU32(SIPA.applicationSvn, state.bootManagerSvn),
    sipaU32(SIPA.svnChainStatus, 0),
    sipaU32(SIPA.transferControl, TRANSFER_TO_WINLOAD),
    ...listCodeSettings(state),
    sipaU32(SIPA.bitlockerUnlock, state.bitlockerUnlock),
    sipaU32(SIPA.morBitApiStatus, 0),
  ]
}

function listWinloadSettings(state: BootState): readonly Uint8Array[] {
  return [
    sipaU32(SIPA.applicationSvn, state.bootAppSvn),
    sipaU32(SIPA.svnChainStatus, 0),
    ...listHypervisorSettings(state),
    sipaU32(SIPA.transferControl, TRANSFER_TO_KERNEL),
    ...listCodeSettings(state),
    sipaU32(SIPA.bitlockerUnlock, state.bitlockerUnlock === 0 ? 0 : UNLOCK_CACHED),
    sipaU32(SIPA.morBitApiStatus, 0),
  ]
}

function listHypervisorSettings(state: BootState): readonly Uint8Array[] {
  if (!state.vbs) return []
  return [
    sipaFlag(SIPA.hypervisorDebug, state.hypervisorDebugging),
    sipaU64(SIPA.hypervisorIommuPolicy, state.iommu ? 1 : 0),
  ]
}

/** The signing and debugging settings, which every boot application measures for itself. */
function listCodeSettings(state: BootState): readonly Uint8Array[] {
  return [
    sipaFlag(SIPA.bootDebugging, state.bootDebugging),
    sipaFlag(SIPA.testSigning, state.testSigning),
    sipaFlag(SIPA.flightSigning, state.flightSigning),
    sipaFlag(SIPA.codeIntegrity, state.codeIntegrity),
  ]
}

function listLoaderSettings(state: BootState): readonly Uint8Array[] {
  return [
    sipaU32(SIPA.applicationSvn, state.bootManagerSvn),
    sipaU32(SIPA.svnChainStatus, 0),
    ...listCodeSettings(state),
  ]
}

function listWinloadModules(state: BootState): readonly Uint8Array[] {
  return [
    sipaU32(SIPA.applicationSvn, state.bootAppSvn),
    sipaU32(SIPA.svnChainStatus, 0),
    ...listHypervisorSettings(state),
    ...listCodeSettings(state),
    sipaCodeIntegrityPolicy({
      version: 0x000a_0000_5302_0000n,
      name: 'driverSiPolicy.p7b',
      sha256: nameDigest('driver policy'),
    }),
    sipaRevocationList(SIPA.osRevocationList, state.revocationListDate, nameDigest('os list')),
    sipaRevocationList(SIPA.bootRevocationList, state.revocationListDate, nameDigest('boot list')),
    ...(state.vbs ? VBS_MODULES.map(module) : []),
  ]
}

function listKernelSettings(state: BootState): readonly Uint8Array[] {
  return [
    ...listKernelPaths(state).map((path, index) =>
      loadedAt(path, 0x1_1ca0_0000 + index * 0x40_0000),
    ),
    ...listSystemSettings(state),
    ...state.elamDrivers.map((name) =>
      sipaGroup(SIPA.elamAggregation, [
        sipaText(SIPA.elamKeyName, name),
        sipaBytes(SIPA.elamMeasured, nameDigest(`${name} signatures`).subarray(0, 20)),
      ]),
    ),
  ]
}

function listKernelModules(state: BootState): readonly Uint8Array[] {
  return [...listSystemSettings(state), ...listKernelPaths(state).map(module)]
}

function listKernelPaths(state: BootState): readonly string[] {
  const elam = state.elamDrivers.map((name) =>
    name === 'Windows Defender' ? 'wd\\WdBoot.sys' : `${name.replaceAll(' ', '')}.sys`,
  )
  const drivers = Array.from({ length: state.bootDrivers }, (_, index) => `virtual-${index}.sys`)
  const paths = [...elam, ...drivers].map((file) => `\\Windows\\system32\\drivers\\${file}`)
  return [...OS_MODULES, ...paths]
}

function listSystemSettings(state: BootState): readonly Uint8Array[] {
  const launched = state.vbs ? 1 : 0
  return [
    sipaFlag(SIPA.osKernelDebug, state.kernelDebugging),
    sipaU32(SIPA.osDevice, 0x0001_0004),
    sipaText(SIPA.systemRoot, '\\Windows'),
    sipaU64(SIPA.dataExecutionPrevention, state.depPolicy),
    sipaFlag(SIPA.safeMode, state.safeMode),
    sipaFlag(SIPA.winPe, state.winPe),
    sipaU64(SIPA.hypervisorLaunchType, launched),
    sipaU64(SIPA.vsmLaunchType, launched),
    ...(state.vbs ? listVbsSettings(state) : []),
    sipaU32(SIPA.driverLoadPolicy, 1),
  ]
}

function listVbsSettings(state: BootState): readonly Uint8Array[] {
  return [
    sipaFlag(SIPA.vbsVsmRequired, true),
    sipaFlag(SIPA.vbsIommuRequired, state.iommu),
    sipaU64(SIPA.vbsHvciPolicy, state.hvci ? 1 : 0),
    sipaFlag(SIPA.vbsMicrosoftBootChainRequired, true),
  ]
}

function listSecureKernelKeys(keys: SecureKernelKeys): readonly Uint8Array[] {
  return [
    sipaSecureKernelKey(SIPA.vsmIdkInfo, keys.decryption),
    sipaSecureKernelKey(SIPA.vsmIdksInfo, keys.signing),
  ]
}

/** Where a module lies in memory, as measured with the settings. */
function loadedAt(path: string, base: number): Uint8Array {
  return sipaGroup(SIPA.loadedModule, [
    sipaBytes(SIPA.authenticodeHash, nameDigest(path)),
    sipaU64(SIPA.imageBase, base),
  ])
}

/** What a module is and who signed it. */
function module(path: string): Uint8Array {
  return sipaGroup(SIPA.loadedModule, [
    sipaText(SIPA.filePath, path),
    sipaU64(SIPA.imageSize, 0x0010_0000 + path.length * 0x1000),
    sipaU32(SIPA.hashAlgorithmId, CALG_SHA_256),
    sipaBytes(SIPA.authenticodeHash, nameDigest(path)),
    sipaFlag(SIPA.imageValidated, true),
    sipaText(SIPA.authorityIssuer, 'Virtual Production PCA'),
    sipaText(SIPA.authorityPublisher, 'Virtual Windows'),
    sipaU32(SIPA.moduleSvn, 1),
  ])
}

/** AUTHORITYPUBKEY: the SubjectPublicKeyInfo of an RSA-2048 key, made up from its name. */
function authority(name: string): Uint8Array {
  const parts = Array.from({ length: 8 }, (_, index) => nameDigest(`${name} ${index}`))
  const modulus = Buffer.concat(parts)
  modulus.writeUInt8(modulus.readUInt8(0) | 0x80, 0)
  const key = new ByteWriter()
    .bytes(Buffer.from('30820122300d06092a864886f70d01010105000382010f00', 'hex'))
    .bytes(Buffer.from('3082010a0282010100', 'hex'), modulus, Buffer.from('0203010001', 'hex'))
  return sipaBytes(SIPA.authorityPublicKey, key.toBytes())
}
