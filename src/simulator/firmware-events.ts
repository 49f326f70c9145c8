import { digest } from '../base/digest.ts'
import { toUtf8 } from '../base/encoding.ts'
import type { BootState } from './boot-state.ts'
import { ByteWriter, toUtf16 } from './byte-writer.ts'
import { type BootEvent, EV } from './tcg-log-encoding.ts'

/** EFI GUIDs as bytes: the first three fields little-endian. UEFI §2.3.1, §3.3, §32.4.1 */
const EFI_GLOBAL_VARIABLE = guid('61dfe48bca93d211aa0d00e098032b8c')
const IMAGE_SECURITY_DATABASE = guid('cbb219d73a3d9645a3bcdad00e67656f')
const EFI_CERT_SHA256 = guid('2616c4c14c509240aca941f936934328')
const SIMULATOR_VENDOR = guid('73696d756c61746f722076656e646f72')

const REVOKED_IMAGES = 12

/** What the firmware measures before Windows' own events: PCRs 0 to 7. */
export function listFirmwareEvents(state: BootState): readonly BootEvent[] {
  return [
    { pcr: 0, type: EV.sCrtmVersion, data: toUtf16('Virtual Firmware 1.4.2') },
    firmwareBlob('platform initialisation', 0xff00_0000, 0x0008_0000),
    firmwareBlob('driver execution', 0xff20_0000, 0x0042_0000),
    ...listSecureBootVariables(state),
    ...(state.secureBoot ? [bootAuthority()] : []),
    bootVariable('BootOrder', Uint8Array.of(0, 0)),
    bootVariable('Boot0000', toUtf16('Windows Boot Manager')),
    { pcr: 4, type: EV.efiAction, data: toUtf8('Calling EFI Application from Boot Option') },
    ...[0, 1, 2, 3, 4, 5, 6].map((pcr) => separator(pcr, new Uint8Array(4))),
    bootManager(),
  ]
}

/** What the firmware measures when Windows takes over. */
export function listExitEvents(): readonly BootEvent[] {
  return ['Exit Boot Services Invocation', 'Exit Boot Services Returned with Success'].map(
    (text) => ({ pcr: 5, type: EV.efiAction, data: toUtf8(text) }),
  )
}

export function separator(pcr: number, data: Uint8Array): BootEvent {
  return { pcr, type: EV.separator, data }
}

function listSecureBootVariables(state: BootState): readonly BootEvent[] {
  const revoked = Array.from({ length: REVOKED_IMAGES }, (_, index) => `revoked image ${index}`)
  return [
    configVariable(EFI_GLOBAL_VARIABLE, 'SecureBoot', Uint8Array.of(state.secureBoot ? 1 : 0)),
    configVariable(EFI_GLOBAL_VARIABLE, 'PK', signatureList(['platform key'])),
    configVariable(EFI_GLOBAL_VARIABLE, 'KEK', signatureList(['key exchange key'])),
    configVariable(IMAGE_SECURITY_DATABASE, 'db', signatureList(['production boot authority'])),
    configVariable(IMAGE_SECURITY_DATABASE, 'dbx', signatureList(revoked)),
    separator(7, new Uint8Array(4)),
  ]
}

function configVariable(vendor: Uint8Array, name: string, data: Uint8Array): BootEvent {
  return { pcr: 7, type: EV.efiVariableDriverConfig, data: encodeVariable(vendor, name, data) }
}

/** The entry of `db` that allowed the boot manager. */
function bootAuthority(): BootEvent {
  const entry = new ByteWriter().bytes(SIMULATOR_VENDOR, nameDigest('production boot authority'))
  const data = encodeVariable(IMAGE_SECURITY_DATABASE, 'db', entry.toBytes())
  return { pcr: 7, type: EV.efiVariableAuthority, data }
}

function bootVariable(name: string, data: Uint8Array): BootEvent {
  return {
    pcr: 1,
    type: EV.efiVariableBoot,
    data: encodeVariable(EFI_GLOBAL_VARIABLE, name, data),
  }
}

/** UEFI_VARIABLE_DATA. TCG PC Client Platform Firmware Profile §10.2.6 */
function encodeVariable(vendor: Uint8Array, name: string, data: Uint8Array): Uint8Array {
  return new ByteWriter()
    .bytes(vendor)
    .u64le(BigInt(name.length))
    .u64le(BigInt(data.length))
    .bytes(toUtf16(name, false), data)
    .toBytes()
}

/** EFI_SIGNATURE_LIST of SHA-256 digests. UEFI §32.4.1 */
function signatureList(names: readonly string[]): Uint8Array {
  const entryBytes = 16 + 32
  const writer = new ByteWriter()
    .bytes(EFI_CERT_SHA256)
    .u32le(28 + names.length * entryBytes)
    .u32le(0)
    .u32le(entryBytes)
  for (const name of names) writer.bytes(SIMULATOR_VENDOR, nameDigest(name))
  return writer.toBytes()
}

/** UEFI_PLATFORM_FIRMWARE_BLOB: where the code lay. What is measured is the code. */
function firmwareBlob(name: string, base: number, length: number): BootEvent {
  const data = new ByteWriter().u64le(BigInt(base)).u64le(BigInt(length)).toBytes()
  return { pcr: 0, type: EV.efiPlatformFirmwareBlob, data, measured: nameDigest(name) }
}

/** UEFI_IMAGE_LOAD_EVENT of the Windows boot manager. What is measured is its Authenticode hash. */
function bootManager(): BootEvent {
  const path = toUtf16('\\EFI\\Microsoft\\Boot\\bootmgfw.efi')
  const devicePath = new ByteWriter()
    .u8(4)
    .u8(4)
    .u16le(4 + path.length)
    .bytes(path)
    .bytes(Uint8Array.of(0x7f, 0xff, 4, 0))
    .toBytes()
  const data = new ByteWriter()
    .u64le(0x5aa0_9818n)
    .u64le(0x001e_e558n)
    .u64le(0x1000_0000n)
    .u64le(BigInt(devicePath.length))
    .bytes(devicePath)
    .toBytes()
  return {
    pcr: 4,
    type: EV.efiBootServicesApplication,
    data,
    measured: nameDigest('bootmgfw.efi'),
  }
}

/** Stands for the content that a name belongs to: nothing here has real code or certificates. */
export function nameDigest(name: string): Uint8Array {
  return digest('sha256', toUtf8(`countersign simulator: ${name}`))
}

function guid(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex')
}
