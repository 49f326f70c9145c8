import { comparison } from '../../base/comparison.ts'
import { DIGEST_BYTES, digest, equalBytes, type HashAlgorithm } from '../../base/digest.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { PcrBank } from '../tpm/pcr.ts'
import { EV } from './event-types.ts'
import type { LogFailure } from './failure.ts'
import type { TcgLog } from './tcg-log.ts'

/** Not exported, so that no other file can make a `VerifiedLog`. */
const replayed: unique symbol = Symbol('replayed')

/**
 * A log whose events are, in number, order and digest, exactly what was extended into `provenPcrs`
 * of `bank`. Only `verifyReplay` makes one. It is as good as the PCR values it was compared with:
 * those must come from a verified quote. The types of its events are still untrusted, and so is
 * the data of any event until its digest is shown to cover it.
 */
export type VerifiedLog = {
  readonly [replayed]: true
  readonly log: TcgLog
  readonly bank: HashAlgorithm
  readonly provenPcrs: ReadonlySet<number>
}

/**
 * The PCR values that the log leads to in one bank, for the PCRs that it extends. A PCR with an
 * event that has no digest of this bank is left out: its value cannot be known.
 */
export function replayLog(log: TcgLog, bank: HashAlgorithm): PcrBank {
  return { algorithm: bank, values: extendAll(log, bank).values }
}

/**
 * Compares a log with PCR values, which the caller took from a verified quote.
 *
 * Every PCR supplied is compared: one that the log never extends must stand at its reset value,
 * because otherwise something was measured that the log does not tell. All PCRs that differ are
 * named. Events of PCRs that were not supplied stay unproven, and nothing is read from them.
 */
export function verifyReplay(input: {
  readonly log: TcgLog
  readonly pcrs: PcrBank
}): Result<VerifiedLog, LogFailure> {
  const { log, pcrs } = input
  const bank = pcrs.algorithm
  const { values, unknown } = extendAll(log, bank)

  const gaps = [...pcrs.values.keys()].filter((pcr) => unknown.has(pcr))
  if (gaps.length > 0 || !log.algorithms.includes(bank)) {
    return err({ reason: 'log_bank_missing', bank, pcrs: gaps.sort(ascending) })
  }
  const wrong: { pcr: number; expected: Uint8Array; actual: Uint8Array }[] = []
  for (const [pcr, expected] of pcrs.values) {
    const actual = values.get(pcr) ?? initialPcr(log, bank, pcr)
    if (!equalBytes(actual, expected)) wrong.push({ pcr, expected, actual })
  }
  if (wrong.length > 0) {
    wrong.sort((a, b) => a.pcr - b.pcr)
    const compared = () =>
      wrong.map(({ pcr, expected, actual }) => comparison(`${bank} PCR ${pcr}`, expected, actual))
    return err({ reason: 'log_pcr_mismatch', bank, pcrs: wrong.map(({ pcr }) => pcr), compared })
  }
  return ok({ [replayed]: true, log, bank, provenPcrs: new Set(pcrs.values.keys()) })
}

/**
 * The value of a PCR before the first event: the startup locality in PCR 0, all ones in the PCRs
 * of a dynamic launch, zero in the others. TPM 2.0 PC Client Platform TPM Profile §4.6
 */
export function initialPcr(log: TcgLog, bank: HashAlgorithm, pcr: number): Uint8Array {
  const value = Buffer.alloc(DIGEST_BYTES[bank], pcr >= 17 && pcr <= 22 ? 0xff : 0)
  if (pcr === 0) value[value.length - 1] = log.startupLocality
  return value
}

/** One hash per extension over one buffer that is used again and again. */
function extendAll(log: TcgLog, bank: HashAlgorithm) {
  const width = DIGEST_BYTES[bank]
  const message = Buffer.alloc(2 * width)
  const values = new Map<number, Uint8Array>()
  const unknown = new Set<number>()
  for (const { pcr, type, digests } of log.events) {
    if (type === EV.noAction) continue
    const extension = digests.get(bank)
    if (extension === undefined) {
      unknown.add(pcr)
      continue
    }
    message.set(values.get(pcr) ?? initialPcr(log, bank, pcr), 0)
    message.set(extension, width)
    values.set(pcr, digest(bank, message))
  }
  for (const pcr of unknown) values.delete(pcr)
  return { values, unknown }
}

function ascending(a: number, b: number): number {
  return a - b
}
