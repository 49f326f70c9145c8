import { DIGEST_BYTES, digest } from '../base/digest.ts'
import { ByteWriter } from './byte-writer.ts'
import { type BankDigests, SOFT_TPM_BANKS } from './soft-tpm.ts'
import { TPM_ALG } from './tpm-encoding.ts'

/** Event types. TCG PC Client Platform Firmware Profile §10.4.1 */
export const EV = {
  noAction: 0x00000003,
  separator: 0x00000004,
  eventTag: 0x00000006,
  sCrtmVersion: 0x00000008,
  compactHash: 0x0000000c,
  efiVariableDriverConfig: 0x80000001,
  efiVariableBoot: 0x80000002,
  efiBootServicesApplication: 0x80000003,
  efiAction: 0x80000007,
  efiPlatformFirmwareBlob: 0x80000008,
  efiVariableAuthority: 0x800000e0,
} as const

/** An event before it is measured. */
export type BootEvent = {
  readonly pcr: number
  readonly type: number
  readonly data: Uint8Array
  /** What is hashed where that is not the event data, such as a boot loader's code. */
  readonly measured?: Uint8Array
}

/** An event with the digests that were extended. Changing `data` alone is what a forger does. */
export type MeasuredEvent = {
  readonly pcr: number
  readonly type: number
  readonly data: Uint8Array
  readonly digests: BankDigests
}

/** Hashes the event for every bank. */
export function digestEvent(event: BootEvent): MeasuredEvent {
  const content = event.measured ?? event.data
  const digests = { sha1: digest('sha1', content), sha256: digest('sha256', content) }
  return { pcr: event.pcr, type: event.type, data: event.data, digests }
}

/**
 * A crypto-agile log: the "Spec ID Event03" header in the SHA-1 format, the startup locality, then
 * `TCG_PCR_EVENT2` records. TCG PC Client Platform Firmware Profile §10.2
 */
export function encodeTcgLog(
  startupLocality: number,
  events: readonly MeasuredEvent[],
): Uint8Array {
  const writer = new ByteWriter()
  writeHeader(writer)
  writeRecord(writer, announceLocality(startupLocality))
  for (const event of events) writeRecord(writer, event)
  return writer.toBytes()
}

/** TCG_EfiSpecIdEvent inside a TCG_PCR_EVENT. */
function writeHeader(writer: ByteWriter): void {
  const content = new ByteWriter()
    .bytes(Buffer.from('Spec ID Event03\0', 'ascii'))
    .u32le(0)
    .u8(0)
    .u8(2)
    .u8(0)
    .u8(2)
    .u32le(SOFT_TPM_BANKS.length)
  for (const bank of SOFT_TPM_BANKS) content.u16le(TPM_ALG[bank]).u16le(DIGEST_BYTES[bank])
  const bytes = content.u8(0).toBytes()
  writer.u32le(0).u32le(EV.noAction).bytes(new Uint8Array(DIGEST_BYTES.sha1)).sized32le(bytes)
}

/** TCG_EfiStartupLocalityEvent, which is never extended. */
function announceLocality(locality: number): MeasuredEvent {
  const data = new ByteWriter().bytes(Buffer.from('StartupLocality\0', 'ascii')).u8(locality)
  const digests = {
    sha1: new Uint8Array(DIGEST_BYTES.sha1),
    sha256: new Uint8Array(DIGEST_BYTES.sha256),
  }
  return { pcr: 0, type: EV.noAction, data: data.toBytes(), digests }
}

function writeRecord(writer: ByteWriter, event: MeasuredEvent): void {
  writer.u32le(event.pcr).u32le(event.type).u32le(SOFT_TPM_BANKS.length)
  for (const bank of SOFT_TPM_BANKS) writer.u16le(TPM_ALG[bank]).bytes(event.digests[bank])
  writer.sized32le(event.data)
}
