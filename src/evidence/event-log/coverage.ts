import { type Comparison, comparison } from '../../base/comparison.ts'
import { digest, equalBytes, type HashAlgorithm } from '../../base/digest.ts'
import type { TcgEvent } from './tcg-log.ts'

/**
 * Whether the event's digest in `bank` is the hash of the event's data. Only then is the data what
 * was measured. Replay does not show that: it proves digests, and a log that tells something else
 * beside an untouched digest replays just as well.
 */
export function coversData(event: TcgEvent, bank: HashAlgorithm): boolean {
  const proven = event.digests.get(bank)
  return proven !== undefined && equalBytes(proven, digest(bank, event.data))
}

/** What the data of an event that its digest does not cover was held against. */
export function compareCoverage(event: TcgEvent, bank: HashAlgorithm): readonly Comparison[] {
  const proven = event.digests.get(bank) ?? 'a digest, and the event has none of this bank'
  return [comparison(`${bank} of the event's data`, proven, digest(bank, event.data))]
}

/** Data of the separators that close a phase of the boot. */
export const SEPARATOR = {
  /** Firmware to boot loader, either form meaning "no error". PFP §10.4.1, EV_SEPARATOR */
  firmware: [Buffer.alloc(4, 0x00), Buffer.alloc(4, 0xff)],
  /** Windows' loaders to the running system: `WBCL`. */
  windows: [Buffer.from('WBCL', 'latin1')],
} as const

/**
 * Tells which events measured one of these known values, by the proven digest and not by the type
 * that the log gives: a separator that was relabelled as something else must still close its PCR.
 */
export function measurementTest(
  bank: HashAlgorithm,
  values: readonly Uint8Array[],
): (event: TcgEvent) => boolean {
  const digests = values.map((data) => digest(bank, data))
  return (event) => {
    const proven = event.digests.get(bank)
    return proven !== undefined && digests.some((known) => equalBytes(known, proven))
  }
}
