import type { KeyObject } from 'node:crypto'
import { toBootLog } from '../../simulator/boot-log.ts'
import { fixedChance } from '../../simulator/chance.ts'
import { fixedRsaKey } from '../../simulator/fixed-keys.ts'
import type { MeasuredEvent } from '../../simulator/tcg-log-encoding.ts'
import {
  type RecordedBoot,
  recordBoot,
  startVirtualDevice,
  type VirtualDevice,
  type VirtualDeviceOptions,
} from '../../simulator/virtual-device.ts'

/** The private keys of a device. Everybody knows them. */
export type DeviceKeys = {
  readonly attestation: KeyObject
  readonly request: KeyObject
  /** Of the secure kernel: signs the reports of enclaves. */
  readonly enclaveSigning: KeyObject
}

/** Events with the lists of modules and of who signed them: most of a log, and no claim comes from them. */
const LISTS = { pcrs: [13, 14], leastBytes: 400 }

/** The keys of the device of this name: the same each time. */
export function keysOfDevice(name: string): DeviceKeys {
  return {
    attestation: fixedRsaKey(`vectors: ${name}: attestation key`),
    request: fixedRsaKey(`vectors: ${name}: request key`),
    enclaveSigning: fixedRsaKey(`vectors: ${name}: secure kernel, signing`),
  }
}

/** The endorsement key of the one device that has any. */
export function endorsementKey(): KeyObject {
  return fixedRsaKey('vectors: endorsement key')
}

/** What a healthy start of the device measures, unless told otherwise; without the longest lists. */
export async function bootOf(
  name: string,
  changes: VirtualDeviceOptions['boot'] = {},
): Promise<RecordedBoot> {
  // Its other key, for decryption, is measured and never used.
  const { enclaveSigning } = keysOfDevice(name)
  const next = async () => enclaveSigning
  const recorded = await recordBoot(next, { bootDrivers: 0, ...changes })
  const { startupLocality, events } = recorded.bootLog
  const isList = ({ pcr, data }: MeasuredEvent) =>
    LISTS.pcrs.includes(pcr) && data.length >= LISTS.leastBytes
  const kept = events.filter((event) => !isList(event))
  return { ...recorded, bootLog: toBootLog(startupLocality, kept) }
}

/** Starts the device of this name. */
export async function startFixedDevice(
  name: string,
  options: Partial<Omit<VirtualDeviceOptions, 'name' | 'keys' | 'chance'>> & {
    /** Tells apart what its TPM leaves to chance, of several starts of one device. */
    readonly start?: string
  } = {},
): Promise<VirtualDevice> {
  const { boot, start = '', ...others } = options
  const keys = keysOfDevice(name)
  const recordedBoot: RecordedBoot = options.recordedBoot ?? (await bootOf(name, boot))
  return startVirtualDevice({
    ...{ name, machine: name, recordedBoot },
    attestationKey: keys.attestation,
    ...(others.endorser && { endorsementKey: endorsementKey() }),
    ...others,
    keys: async () => keys.request,
    chance: fixedChance(`vectors: ${name}: device ${start}`),
  })
}
