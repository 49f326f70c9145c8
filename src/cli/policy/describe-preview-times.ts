import type { ClauseCounts, PreviewSummary, Span } from '../../replay/preview/summary.ts'
import { count, percentOf } from '../framework/numbers.ts'
import { renderTable } from '../framework/table.ts'

const LISTED_ROWS = 8

/** When devices would lose access that keep it at first, and by what. */
export function describeLater({ denied_later }: PreviewSummary): string {
  const { devices, by_date, later_dates, by_cause } = denied_later
  if (devices === 0) return ''
  const listed = by_date.slice(0, LISTED_ROWS)
  const dates = listed.map(({ at, devices: lost }) => [shortTime(at), count(lost)])
  const others = devices - listed.reduce((sum, one) => sum + one.devices, 0)
  const causes = by_cause
    .slice(0, LISTED_ROWS)
    .map(({ cause, devices: lost, share, examples, ...span }) => [
      cause,
      count(lost),
      percentOf(share),
      describeSpan({ devices: lost, ...span }),
      examples[0] ?? '',
    ])
  const more = by_cause.length - LISTED_ROWS
  const isListed = later_dates === 0 ? ' (--json lists them)' : ''
  return [
    renderTable(['would be denied from', 'devices'], dates),
    others > 0 ? `… and ${count(others)} at later times${isListed}` : '',
    '',
    renderTable(['would be denied later by', 'devices', 'share', 'from', 'such as'], causes),
    more > 0 ? `… and ${count(more)} more (--json lists them)` : '',
  ]
    .filter((line, index) => line !== '' || index === 2)
    .join('\n')
}

/** What each clause would do over time, of those that would do anything. */
export function describeClauseTimes({ clauses }: PreviewSummary): string {
  const busy = clauses.filter(({ denied, in_grace, denied_later }) => {
    return denied + in_grace.devices + denied_later.devices > 0
  })
  if (busy.length === 0) return ''
  const rows = busy
    .slice(0, LISTED_ROWS)
    .map(({ clause, denied, in_grace, denied_later }) => [
      clause,
      denied === 0 ? '' : count(denied),
      spanText(in_grace, 'until'),
      spanText(denied_later, 'from'),
    ])
  const more = busy.length - rows.length
  const table = renderTable(['clause', 'denies now', 'in grace', 'denies later'], rows)
  return more > 0 ? `${table}\n… and ${count(more)} more (--json lists them)` : table
}

/** Clauses about which the recorded fleet says nothing. */
export function describeUntested({
  clauses,
  request_clauses,
  compared,
  questions,
}: PreviewSummary): string {
  const unreached = compared === 0 ? [] : clauses.filter(isUnreached).map(({ clause }) => clause)
  const lines = [
    unreached.length === 0
      ? ''
      : `Not tested on any device, as their 'when' applied to none at any time: ${listed(unreached)}.`,
    // Where questions were answered again, it is told what of these clauses none of them tested.
    request_clauses.length === 0 || questions !== undefined
      ? ''
      : `Not tested by recorded claims, as they read the request: ${listed(request_clauses)}.`,
  ]
  return lines.filter((line) => line !== '').join('\n')
}

/** When it was looked at devices. */
export function describeMoments({ moments, compared }: PreviewSummary): string {
  if (compared === 0) return ''
  const { count: looked, looked_at, hourly, year_ahead = false, left_out } = moments
  const last = looked_at.length === looked ? looked_at.at(-1) : undefined
  const later = looked - 1
  const until = last === undefined || later === 0 ? '' : `, the last on ${shortTime(last)}`
  const times =
    later === 0
      ? 'Nothing in the documents changes with time: devices were looked at now'
      : `Looked at now, at ${count(later)} later ${later === 1 ? 'time' : 'times'}${until}`
  const hours = hourly ? ', the hours or days that clauses go by among them' : ''
  const year = year_ahead
    ? ' What clauses make of the clock without a date is seen for a year, and no further.'
    : ''
  const left =
    left_out === 0
      ? ''
      : ` Left out: ${count(left_out)} later ${left_out === 1 ? 'date' : 'dates'} of the documents.`
  return `${times}${hours}, and at the end of every grace, hold and allowance, as if devices went on attesting the same.${year}${left}`
}

function isUnreached({ severity, reached }: ClauseCounts): boolean {
  return severity === 'enforce' && !reached
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, LISTED_ROWS).join(', ')
  const more = names.length - LISTED_ROWS
  return more > 0 ? `${shown} and ${count(more)} more` : shown
}

function spanText(span: Span, word: 'from' | 'until'): string {
  return span.devices === 0 ? '' : `${count(span.devices)} ${word} ${describeSpan(span)}`
}

function describeSpan({ first, last }: Span): string {
  if (first === null || last === null) return ''
  return first === last ? shortTime(first) : `${shortTime(first)} to ${shortTime(last)}`
}

/** ISO 8601 without a fraction that says nothing. */
function shortTime(at: string): string {
  return at.replace('.000Z', 'Z')
}
