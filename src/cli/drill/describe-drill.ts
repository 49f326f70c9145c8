import type { Config } from '../../config/config.ts'
import type { DrillBreakdown, DrillExample, DrillSummary } from '../../replay/outage/summary.ts'
import { count, percent } from '../framework/numbers.ts'
import { renderBar } from '../framework/progress.ts'
import { renderTable } from '../framework/table.ts'
import { adviseOnOutage } from './advise.ts'
import { moment, span } from './words.ts'

const LISTED_ROWS = 10
const DRAWN_STEPS = 24
const LISTED_EXAMPLES = 1

/** A rehearsal for people: who would be denied and when, how sure that is, and what to do next. */
export function describeDrill(
  summary: DrillSummary,
  config: Pick<Config, 'outageGraceSeconds' | 'verifiers'>,
): string {
  const counted =
    summary.trusted === 0
      ? []
      : [
          describeTotals(summary),
          drawSteps(summary),
          describeReasons(summary),
          describeBreakdown('label', summary.by_label),
          describeBreakdown('owner', summary.by_owner),
          describeBreakdown('verifier', summary.by_verifier),
          describeExamples(summary.examples),
          HOW_SURE,
        ]
  const parts = [describeOutage(summary, config), ...counted, adviseOnOutage(summary, config)]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

const HOW_SURE =
  'How sure: nobody attests in the outage, and with the grace it is noticed at once. The fleet is as it was recorded.'

function describeOutage(
  summary: DrillSummary,
  { outageGraceSeconds }: Pick<Config, 'outageGraceSeconds'>,
): string {
  const { verifier, from, until, grace_seconds, trusted, devices, not_counted } = summary
  const who = verifier === null ? 'all verifiers were' : `${verifier} were`
  const setting =
    grace_seconds === outageGraceSeconds
      ? `OUTAGE_GRACE_SECONDS=${outageGraceSeconds}`
      : `--grace; OUTAGE_GRACE_SECONDS is ${outageGraceSeconds}`
  const left = Object.entries(not_counted).filter(([, many]) => many > 0)
  const others = left.map(([why, many]) => `${count(many)} ${why}`).join(', ')
  return [
    `If ${who} out from ${moment(from)} to ${moment(until)} (${span(Date.parse(until) - Date.parse(from))}), with a grace of ${span(grace_seconds * 1000)} (${setting}):`,
    `of ${count(devices)} devices ${count(trusted)} have access that it can end${others === '' ? '' : `; not counted: ${others}`}.`,
  ].join('\n')
}

function describeTotals(summary: DrillSummary): string {
  const { without_grace: without, with_grace: withIt, trusted, from } = summary
  const lost = ({ devices }: DrillSummary['with_grace']) =>
    `${count(devices)} (${percent(devices, trusted)})`
  const when = (time: string | null) => {
    if (time === null) return 'not in the outage'
    return `${moment(time)} (+${span(Date.parse(time) - Date.parse(from))})`
  }
  return renderTable(
    ['', 'without grace', 'with grace'],
    [
      ['denied in the end', lost(without), lost(withIt)],
      ['the first at', when(without.first), when(withIt.first)],
      ['half of them by', when(without.half_by), when(withIt.half_by)],
      ['all of them by', when(without.all_by), when(withIt.all_by)],
    ],
  )
}

/** What is left of access over time, until nothing is. */
function drawSteps({ steps, trusted, from, with_grace: { all_by } }: DrillSummary): string {
  const drawn = steps.filter(({ at }) => all_by === null || at <= all_by)
  const stride = Math.max(1, Math.ceil((drawn.length - 1) / DRAWN_STEPS))
  const rows = drawn
    .filter((_, step) => step % stride === 0 || step === drawn.length - 1)
    .map(({ at, without_grace, with_grace }) => [
      `+${span(Date.parse(at) - Date.parse(from))}`,
      moment(at),
      renderBar(trusted - without_grace, trusted),
      count(without_grace),
      renderBar(trusted - with_grace, trusted),
      count(with_grace),
    ])
  const head = ['after', 'at', 'allowed without grace', 'denied', 'allowed with grace', 'denied']
  return renderTable(head, rows)
}

function describeReasons({ by_reason }: DrillSummary): string {
  if (by_reason.every(({ reason }) => reason === 'stale')) return ''
  const rows = by_reason
    .slice(0, LISTED_ROWS)
    .map(({ reason, without_grace, with_grace }) => [
      reason,
      count(without_grace),
      count(with_grace),
    ])
  return renderTable(['denied by', 'without grace', 'with grace'], rows)
}

function describeBreakdown(title: string, { keys, others }: DrillBreakdown): string {
  if (keys.every(({ key }) => key === null)) return ''
  const losing = keys.filter(({ without_grace }) => without_grace > 0)
  if (losing.length === 0) return ''
  const listed = losing.slice(0, LISTED_ROWS)
  const rows = listed.map(({ key, trusted, without_grace, with_grace, examples }) => [
    key ?? '(none)',
    count(trusted),
    count(without_grace),
    count(with_grace),
    examples
      .slice(0, LISTED_EXAMPLES)
      .map((example) => example.device_id)
      .join(' '),
  ])
  const table = renderTable([title, 'devices', 'without grace', 'with grace', 'such as'], rows)
  if (losing.length > listed.length) return `${table}\n… and more (--json lists ${keys.length})`
  return others.without_grace > 0 ? `${table}\n… and others with fewer devices` : table
}

function describeExamples(examples: readonly DrillExample[]): string {
  if (examples.length === 0) return ''
  const rows = examples.map(({ device_id, without_grace, with_grace }) => [
    device_id,
    moment(without_grace),
    with_grace === null ? 'not in the outage' : moment(with_grace),
  ])
  return renderTable(['denied first', 'without grace', 'with grace'], rows)
}
