import { digest } from '../../base/digest.ts'
import { toBase64Url, toHex } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { describeEvents } from '../../evidence/event-log/describe.ts'
import { EVENT_MEANINGS } from '../../evidence/event-log/event-meanings.ts'
import { parseTcgLog, type TcgEvent } from '../../evidence/event-log/tcg-log.ts'
import type { HistoryEntry } from '../../store/devices/device-history.ts'

/** One event of a log that somebody has, in words. */
export type ReadEvent = {
  readonly sequence: number
  readonly pcr: number
  readonly typeName: string
  /** What an event of that type says. */
  readonly meaning: string
  readonly description: string
  /** Hexadecimal, of its strongest bank; empty where it has none. */
  readonly digest: string
}

export type ReadBootLog = {
  /** base64url SHA-256 of the whole log, as attestations are kept with. */
  readonly digest: string
  readonly events: readonly ReadEvent[]
  /** The attestation that came with this very log, if it is among those that are looked through. */
  readonly attestation: HistoryEntry | undefined
}

export const BOOT_LOG_REASONS = ['boot_log_malformed'] as const

export type BootLogFailure = {
  readonly reason: (typeof BOOT_LOG_REASONS)[number]
  readonly detail: string
}

/**
 * Tells a boot log event by event. It is proven by nothing but by being the log of an attestation that is kept: then
 * `attestation` is there. Otherwise it is whatever somebody has, and is worth as much.
 */
export function readBootLog(
  bytes: Uint8Array,
  history: readonly HistoryEntry[],
): Result<ReadBootLog, BootLogFailure> {
  const log = parseTcgLog(bytes)
  if (!log.ok) return err({ reason: 'boot_log_malformed', detail: log.failure.reason })
  const strongest = [...log.value.algorithms].sort().at(-1)
  const words = new Map(describeEvents(log.value).map((one) => [one.sequence, one.description]))
  const named = toBase64Url(digest('sha256', bytes))
  return ok({
    digest: named,
    events: log.value.events.map((event) => ({
      ...{ sequence: event.sequence, pcr: event.pcr, typeName: event.typeName },
      meaning: EVENT_MEANINGS[event.typeName] ?? 'Of a type that is not known here.',
      description: words.get(event.sequence) ?? '',
      digest: digestOf(event, strongest),
    })),
    attestation: history.find(({ digests }) => digests.boot_log === named),
  })
}

function digestOf({ digests }: TcgEvent, bank: string | undefined): string {
  for (const [name, value] of digests) if (name === bank) return toHex(value)
  return ''
}

/**
 * The number of the first event of `log` that is another one than in `good`, PCR by PCR as they are extended; the first
 * that is missing is where the log ends. `undefined` where all are the same.
 */
export function firstDifference(log: ReadBootLog, good: ReadBootLog): number | undefined {
  const isMeasured = ({ typeName }: ReadEvent) => typeName !== 'EV_NO_ACTION'
  const [own, other] = [log.events.filter(isMeasured), good.events.filter(isMeasured)]
  const at = own.findIndex((event, index) => {
    const before = other[index]
    return before === undefined || before.pcr !== event.pcr || before.digest !== event.digest
  })
  if (at !== -1) return own[at]?.sequence
  return own.length < other.length ? (own.at(-1)?.sequence ?? 0) + 1 : undefined
}
