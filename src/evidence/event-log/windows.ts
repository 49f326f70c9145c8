import { err, ok, type Result } from '../../base/result.ts'
import type { ParseFailure } from '../bytes.ts'
import { atEvent, insideEvent } from './at-event.ts'
import { compareCoverage, coversData, measurementTest, SEPARATOR } from './coverage.ts'
import { EV } from './event-types.ts'
import type { LogFailure } from './failure.ts'
import type { VerifiedLog } from './replay.ts'
import { parseSipaElements, type SipaElement } from './sipa.ts'
import { SIPA } from './sipa-names.ts'
import type { TcgEvent } from './tcg-log.ts'

/** One tagged event that Windows' loaders measured before they handed over; verified. */
export type WindowsEvent = Pick<TcgEvent, 'sequence' | 'pcr' | 'offset' | 'data'> & {
  readonly elements: readonly SipaElement[]
}

/**
 * 12 data of the early boot and of the OS, 13 the same settings again with the loaded modules, 14
 * the authorities of those. PCR 11 is not among them: its only events are BitLocker's compact
 * hashes, and no real log closes it with `WBCL`. PCR 19 and 20, where a dynamic launch repeats
 * these events, belong to another log and are not read.
 */
const WINDOWS_PCRS = [12, 13, 14] as const

/**
 * The events of Windows' loaders, when the log was proven against PCR 12, 13 and 14 and a Windows
 * was booted at all: each of the three then is closed by exactly one `WBCL` separator.
 *
 * What is before the separator was measured by the loaders, what is after it by whoever could reach
 * the TPM in the running system, so that is ignored. Before it nothing but covered EV_EVENT_TAG is
 * tolerated: another type would be a way to hide a setting, and the events that shim puts into
 * PCR 14 show that something else than Windows' boot manager was started. For both reasons the three
 * PCRs are taken together or not at all.
 */
export function readWindowsEvents(
  verified: VerifiedLog,
): Result<readonly WindowsEvent[], LogFailure | ParseFailure> {
  if (!WINDOWS_PCRS.every((pcr) => verified.provenPcrs.has(pcr))) return ok([])

  const isSeparator = measurementTest(verified.bank, SEPARATOR.windows)
  const extending = verified.log.events.filter(
    ({ pcr, type }) => pcr >= 12 && pcr <= 14 && type !== EV.noAction,
  )
  if (!extending.some((event) => isSeparator(event) || looksLikeWindows(event))) return ok([])

  const closed = new Set<number>()
  const events: WindowsEvent[] = []
  for (const event of extending) {
    const { pcr, sequence, type, offset, data } = event
    if (isSeparator(event)) {
      if (closed.has(pcr)) {
        return err({ reason: 'log_separator_duplicate', ...atEvent(event) })
      }
      closed.add(pcr)
    } else if (!closed.has(pcr)) {
      if (type !== EV.eventTag) {
        return err({ reason: 'log_event_unexpected', type, ...atEvent(event) })
      }
      if (!coversData(event, verified.bank)) {
        const compared = () => compareCoverage(event, verified.bank)
        return err({ reason: 'log_event_digest_mismatch', ...atEvent(event), compared })
      }
      const elements = parseSipaElements(data)
      if (!elements.ok) return err(insideEvent(elements.failure, event))
      events.push({ sequence, pcr, offset, data, elements: elements.value })
    }
  }
  const open = WINDOWS_PCRS.find((pcr) => !closed.has(pcr))
  return open === undefined ? ok(events) : err({ reason: 'log_separator_missing', pcrs: [open] })
}

/**
 * Windows whose loaders never closed their PCRs, whatever the log calls their events; other systems
 * tag events of their own in PCR 12.
 */
function looksLikeWindows({ data }: TcgEvent): boolean {
  if (data.length < 4) return false
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  return view.getUint32(0, true) === SIPA.trustBoundary
}
