import { type Compared, type Comparison, comparison } from '../../../base/comparison.ts'
import { DIGEST_BYTES, digest, equalBytes, type HashAlgorithm } from '../../../base/digest.ts'
import { inMember } from '../../../base/located.ts'
import { err, ok, type Result } from '../../../base/result.ts'
import type { ParseFailure } from '../../../evidence/bytes.ts'
import { atEvent } from '../../../evidence/event-log/at-event.ts'
import { EV } from '../../../evidence/event-log/event-types.ts'
import type { LogFailure } from '../../../evidence/event-log/failure.ts'
import { type VerifiedLog, verifyReplay } from '../../../evidence/event-log/replay.ts'
import { parseTcgLog, type TcgLog } from '../../../evidence/event-log/tcg-log.ts'
import type { PcrBank } from '../../../evidence/tpm/pcr.ts'
import { REQUIRED_PCRS } from './required-pcrs.ts'
import type { BootLogs } from './tpm-evidence.ts'

export const BOOT_PCR_REASONS = [
  'boot_pcr_bank_weak',
  'boot_pcr_not_quoted',
  'boot_pcr_order_wrong',
] as const
export const DRTM_LOG_REASONS = ['drtm_log_foreign_pcr', 'drtm_log_pcr_mismatch'] as const

export type BootLogFailure =
  | LogFailure
  | ParseFailure
  | ({
      readonly reason: 'boot_pcr_bank_weak'
      readonly member?: string
      readonly expected: string
    } & Compared)
  | {
      readonly reason: 'boot_pcr_not_quoted' | 'boot_pcr_order_wrong' | 'drtm_log_foreign_pcr'
      readonly pcrs: readonly number[]
      readonly bank?: HashAlgorithm
      readonly expected?: string
    }
  | ({
      readonly reason: 'drtm_log_pcr_mismatch'
      readonly bank: HashAlgorithm
      readonly pcrs: readonly number[]
    } & Compared)

/** Strongest first. SHA-1 is no basis for claims: colliding boot components can be made. */
const ACCEPTED_BANKS: readonly HashAlgorithm[] = ['sha512', 'sha384', 'sha256']
/**
 * Static PCRs, which only a reset of the TPM resets. PCRs 16 and 23 can be reset by any program and
 * prove nothing about the boot, 17 to 22 belong to the dynamic launch. TCG PC Client PTP §4.6.2
 */
const LAST_STATIC_PCR = 15
/** Which an IMA log extends. */
export const IMA_PCR = 10
const FIRST_DYNAMIC_PCR = 17
const LAST_DYNAMIC_PCR = 22

/**
 * Proves a boot's logs against quoted PCRs, and gives the firmware's log, from which claims are read.
 *
 * - One bank is used: the strongest that was both quoted and logged. It must cover `REQUIRED_PCRS`.
 * - The SRTM log must replay to every quoted static PCR, also to those it never extends.
 * - PCR 10 is left out where an IMA log came along: that log extends it and is not read.
 * - A DRTM log says nothing that becomes a claim, but a false one is a lie that ends the
 *   attestation: it may hold dynamic PCRs only and must replay to all that were quoted of them.
 */
export function proveBootLogs(
  logs: BootLogs,
  quoted: readonly PcrBank[],
): Result<VerifiedLog, BootLogFailure> {
  const { members } = logs
  const srtm = inMember(members.srtm, parseTcgLog(logs.srtm))
  if (!srtm.ok) return srtm
  const bank = chooseBank(quoted, srtm.value, members.srtm)
  if (!bank.ok) return bank
  if (logs.drtm !== undefined) {
    const drtm = inMember(members.drtm, parseTcgLog(logs.drtm))
    if (!drtm.ok) return drtm
    const proven = proveDrtmLog(drtm.value, keepPcrs(bank.value, isDynamic))
    if (!proven.ok) return inMember(members.drtm, proven)
  }
  const covered = (pcr: number) => pcr <= LAST_STATIC_PCR && !(logs.hasIma && pcr === IMA_PCR)
  const replayed = verifyReplay({ log: srtm.value, pcrs: keepPcrs(bank.value, covered) })
  return inMember(members.srtm, replayed)
}

/** `member`: the log, which is at fault where it has no bank that counts, whatever was quoted. */
function chooseBank(
  quoted: readonly PcrBank[],
  log: TcgLog,
  member: string,
): Result<PcrBank, BootLogFailure> {
  const algorithm = ACCEPTED_BANKS.find(
    (one) => log.algorithms.includes(one) && quoted.some((bank) => bank.algorithm === one),
  )
  const bank = quoted.find((one) => one.algorithm === algorithm)
  if (bank === undefined) {
    const compared = () => [compareBanks(quoted, log)]
    const logged = ACCEPTED_BANKS.filter((one) => log.algorithms.includes(one))
    return logged.length === 0
      ? err({ reason: 'boot_pcr_bank_weak', member, expected: STRONG_LOG, compared })
      : err({ reason: 'boot_pcr_bank_weak', expected: expectQuoted(logged), compared })
  }
  const pcrs = REQUIRED_PCRS.filter((pcr) => !bank.values.has(pcr))
  if (pcrs.length === 0) return ok(bank)
  return err({ reason: 'boot_pcr_not_quoted', bank: bank.algorithm, pcrs })
}

const STRONG_LOG = 'a log with digests of SHA-256, SHA-384 or SHA-512'

function expectQuoted(logged: readonly HashAlgorithm[]): string {
  return `a quote of a bank that the log has digests of: ${logged.join(' or ')}`
}

function compareBanks(quoted: readonly PcrBank[], { algorithms }: TcgLog): Comparison {
  const [inQuote, inLog] = [quoted.map(({ algorithm }) => algorithm), algorithms].map(
    (names) => names.join(', ') || 'none',
  )
  const wanted = `${ACCEPTED_BANKS.join(' or ')}, in the quote and in the log`
  return comparison('bank', wanted, `in the quote: ${inQuote}; in the log: ${inLog}`)
}

/**
 * A dynamic launch resets PCRs 17 to 22 to zero, whatever they held, before it measures. TPM 2.0
 * Part 1 §17.3
 */
function proveDrtmLog(log: TcgLog, bank: PcrBank): Result<true, BootLogFailure> {
  const values = new Map<number, Uint8Array>()
  for (const event of log.events) {
    if (event.type === EV.noAction) continue
    const measured = event.digests.get(bank.algorithm)
    if (!isDynamic(event.pcr) || measured === undefined) {
      return err({ reason: 'drtm_log_foreign_pcr', ...atEvent(event) })
    }
    const before = values.get(event.pcr) ?? new Uint8Array(DIGEST_BYTES[bank.algorithm])
    values.set(event.pcr, digest(bank.algorithm, before, measured))
  }
  const zero = new Uint8Array(DIGEST_BYTES[bank.algorithm])
  const pcrs = [...bank.values]
    .filter(([pcr, value]) => !equalBytes(value, values.get(pcr) ?? zero))
    .map(([pcr]) => pcr)
  const unquoted = [...values.keys()].filter((pcr) => !bank.values.has(pcr))
  const wrong = [...pcrs, ...unquoted]
  if (wrong.length === 0) return ok(true)
  const compared = () =>
    wrong.map((pcr) => {
      const quoted = bank.values.get(pcr) ?? 'a quoted value, and there is none'
      return comparison(`${bank.algorithm} PCR ${pcr}`, quoted, values.get(pcr) ?? zero)
    })
  return err({ reason: 'drtm_log_pcr_mismatch', bank: bank.algorithm, pcrs: wrong, compared })
}

function isDynamic(pcr: number): boolean {
  return pcr >= FIRST_DYNAMIC_PCR && pcr <= LAST_DYNAMIC_PCR
}

function keepPcrs(bank: PcrBank, keep: (pcr: number) => boolean): PcrBank {
  const values = [...bank.values].filter(([pcr]) => keep(pcr))
  return { algorithm: bank.algorithm, values: new Map(values) }
}
