import type { BootState } from './boot-state.ts'
import { listExitEvents, listFirmwareEvents } from './firmware-events.ts'
import { digestEvent, encodeTcgLog, type MeasuredEvent } from './tcg-log-encoding.ts'
import { listWindowsEvents, type SecureKernelKeys } from './windows-events.ts'

/** The log of one virtual boot. Its events can be changed and encoded anew, as a forger would. */
export type BootLog = {
  readonly startupLocality: number
  readonly events: readonly MeasuredEvent[]
  readonly bytes: Uint8Array
}

/** The machine has a hardware root of trust, which starts the TPM before the first instruction. */
const STARTUP_LOCALITY = 3

/** What a start of Windows measures, in order; a TPM that is extended with it agrees with the log. */
export function bootWindows(input: {
  readonly state: BootState
  readonly secureKernel: SecureKernelKeys
}): BootLog {
  const { state, secureKernel } = input
  const events = [
    ...listFirmwareEvents(state),
    ...listWindowsEvents(state, secureKernel),
    ...listExitEvents(),
  ]
  return toBootLog(STARTUP_LOCALITY, events.map(digestEvent))
}

export function toBootLog(startupLocality: number, events: readonly MeasuredEvent[]): BootLog {
  return { startupLocality, events, bytes: encodeTcgLog(startupLocality, events) }
}
