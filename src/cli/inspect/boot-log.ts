import type { HashAlgorithm } from '../../base/digest.ts'
import { initialPcr, replayLog } from '../../evidence/event-log/replay.ts'
import type { TcgLog } from '../../evidence/event-log/tcg-log.ts'
import type { PcrBank } from '../../evidence/tpm/pcr.ts'

/** What these logs and PCR values are called in refusals: where the command line has them. */
export const PLACES = { logs: { srtm: 'FILE', drtm: '--drtm' }, pcrs: '--pcrs' } as const

/** PCRs that only a reset of the TPM resets: what the firmware's log is held against. */
const STATIC_PCRS = Array.from({ length: 16 }, (_, pcr) => pcr)

/**
 * The PCR values that a log leads to by itself, also where it extends nothing: with these in place of a
 * quote the service's own check says what else is wrong with a log. They prove nothing.
 */
export function ownPcrs(log: TcgLog, bank: HashAlgorithm): PcrBank {
  const { values } = replayLog(log, bank)
  const all = STATIC_PCRS.map(
    (pcr) => [pcr, values.get(pcr) ?? initialPcr(log, bank, pcr)] as const,
  )
  return { algorithm: bank, values: new Map(all) }
}
