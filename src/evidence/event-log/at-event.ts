import type { ParseFailure } from '../bytes.ts'
import type { AtEvent } from './failure.ts'
import type { TcgEvent } from './tcg-log.ts'

/** The place of an event, for a failure that is about it. */
export function atEvent({
  pcr,
  sequence,
  offset,
}: Pick<TcgEvent, 'pcr' | 'sequence' | 'offset'>): AtEvent {
  return { event: sequence, offset, pcrs: [pcr] }
}

/**
 * The failure of a structure that was read from `bytes`, a view of the event's data: with the number
 * and PCR of the event, and its offset counted from the start of the log.
 */
export function insideEvent(
  failure: ParseFailure,
  event: Pick<TcgEvent, 'pcr' | 'sequence' | 'offset' | 'data'>,
  bytes: Uint8Array = event.data,
): ParseFailure {
  const start = event.offset + bytes.byteOffset - event.data.byteOffset
  return { ...failure, ...atEvent(event), offset: start + failure.offset }
}
