import { plural } from '../../base/words.ts'
import {
  AGES,
  type Breakdown,
  type ChangeCounts,
  type ClauseChange,
  countLosses,
  type PreviewSummary,
} from '../../replay/preview/summary.ts'
import { count, percent, percentOf } from '../framework/numbers.ts'
import { renderTable } from '../framework/table.ts'
import {
  describeClauseTimes,
  describeLater,
  describeMoments,
  describeUntested,
} from './describe-preview-times.ts'
import { describeQuestions } from './describe-questions.ts'

const LISTED_ROWS = 8
const LISTED_EXAMPLES = 1

/** A preview for people: what would change, for whom, how sure that is, and what to do next. */
export function describePreview(summary: PreviewSummary): string {
  const { newly_denied, newly_allowed, newly_refused } = summary
  const parts = [
    describeTotals(summary),
    describeClauses('would be denied by', newly_denied.by_clause),
    describePolicies(newly_refused.by_policy),
    describeAnchors(newly_refused.by_anchor),
    describeClauses('would be allowed, denied now by', newly_allowed.by_clause),
    describeLater(summary),
    describeClauseTimes(summary),
    ...describeBreakdowns(summary),
    describeUntested(summary),
    ...(summary.questions === undefined ? [] : describeQuestions(summary.questions)),
    describePinned(summary),
    describeMoments(summary),
    describeCertainty(summary),
    describeNext(summary),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function describeTotals(summary: PreviewSummary): string {
  const { compared, newly_denied, newly_allowed, newly_refused, unchanged, not_compared } = summary
  const { denied_later } = summary
  const row = (name: string, devices: number) => [name, count(devices), percent(devices, compared)]
  const rows = [
    row('newly denied', newly_denied.devices),
    ...(newly_denied.undecidable > 0
      ? [row('  for want of a recorded claim', newly_denied.undecidable)]
      : []),
    ...(newly_refused.devices > 0
      ? [row('refused at their next attestation', newly_refused.devices)]
      : []),
    row('newly allowed', newly_allowed.devices),
    ...(denied_later.devices > 0 ? [row('denied later', denied_later.devices)] : []),
    row('still allowed', unchanged.granted),
    row('still denied', unchanged.denied),
  ]
  const left = Object.entries(not_compared).filter(([, devices]) => devices > 0)
  const others = left.map(([standing, devices]) => `${count(devices)} ${standing}`).join(', ')
  const title = `Of ${plural(summary.devices, 'device')} ${count(compared)} can be compared${others === '' ? '' : `; not: ${others}`}.`
  return `${describeEnd(summary)}${title}\n\n${renderTable(['change', 'devices', 'share'], rows)}`
}

function describeEnd({ ends_rollout: ends }: PreviewSummary): string {
  if (ends === undefined) return ''
  return `What is compared is the end of ${ends.rollout_id}, for the devices that its document decides for in stage ${ends.stage + 1}.\n\n`
}

function describeClauses(title: string, changes: readonly ClauseChange[]): string {
  if (changes.length === 0) return ''
  const rows = changes
    .slice(0, LISTED_ROWS)
    .map(({ clause, devices, share, undecidable, cause, examples }) => [
      clause,
      count(devices),
      percentOf(share),
      undecidable === 0 ? '' : `${count(undecidable)}: ${cause ?? 'unknown'}`,
      examples.slice(0, LISTED_EXAMPLES).join(' '),
    ])
  return renderTable([title, 'devices', 'share', 'undecidable', 'such as'], rows) + more(changes)
}

function describePolicies(policies: PreviewSummary['newly_refused']['by_policy']): string {
  if (policies.length === 0) return ''
  const rows = policies
    .slice(0, LISTED_ROWS)
    .map(({ issuer, policy_hash, devices, share, examples }) => [
      issuer,
      policy_hash,
      count(devices),
      percentOf(share),
      examples.slice(0, LISTED_EXAMPLES).join(' '),
    ])
  const head = ['no longer pinned at', 'policy hash', 'devices', 'share', 'such as']
  return renderTable(head, rows) + more(policies)
}

function describeAnchors(anchors: PreviewSummary['newly_refused']['by_anchor']): string {
  if (anchors.length === 0) return ''
  const rows = anchors
    .slice(0, LISTED_ROWS)
    .map(({ anchor, name, devices, share, examples }) => [
      name ?? (anchor === null ? '(keys that no root vouches for)' : '(not named)'),
      anchor ?? '',
      count(devices),
      percentOf(share),
      examples.slice(0, LISTED_EXAMPLES).join(' '),
    ])
  const head = ['no longer a trust anchor', 'fingerprint', 'devices', 'share', 'such as']
  return renderTable(head, rows) + more(anchors)
}

function describeBreakdowns(summary: PreviewSummary): readonly string[] {
  const { by_label, by_ring, by_owner, by_issuer } = summary
  return [
    describeBreakdown('label', by_label),
    describeBreakdown('ring', by_ring),
    describeBreakdown('owner', by_owner),
    describeBreakdown('verifier', by_issuer),
  ]
}

function describeBreakdown(title: string, { keys, others }: Breakdown): string {
  if (keys.length === 0) return ''
  const listed = keys.slice(0, LISTED_ROWS)
  const rows = listed.map((row) => [
    row.key ?? '(none)',
    count(lossesOf(row)),
    row.compared === null ? '' : percent(lossesOf(row), row.compared),
    count(row.newly_allowed),
  ])
  const isMore = keys.length > listed.length || lossesOf(others) + others.newly_allowed > 0
  const table = renderTable([title, 'lose access', `of the ${title}`, 'newly allowed'], rows)
  return isMore ? `${table}\n… and more (--json lists ${keys.length})` : table
}

/** At once or later. */
function lossesOf({ newly_denied, newly_refused, denied_later }: ChangeCounts): number {
  return newly_denied + newly_refused + denied_later
}

const AGE_TEXTS = ['1 hour', '8 hours', 'a day', '7 days']

function describePinned({ pinned = 0 }: PreviewSummary): string {
  if (pinned === 0) return ''
  const [who, whose] = pinned === 1 ? ['it', 'its pin ends'] : ['them', 'their pins end']
  return `For ${plural(pinned, 'device')} a pin lets another version decide: nothing changes for ${who} before ${whose}.`
}

function describeCertainty({ compared, evidence_age }: PreviewSummary): string {
  if (compared === 0) return 'Nothing was compared, so this says nothing about the document.'
  let younger = 0
  const parts: string[] = []
  for (const [index, text] of AGE_TEXTS.entries()) {
    younger += evidence_age.compared[AGES[index] ?? 'older']
    parts.push(`${percent(younger, compared)} within ${text}`)
  }
  return `How sure: this is what devices proved when they last attested, ${parts.join(', ')}.`
}

function describeNext(summary: PreviewSummary): string {
  const losses = countLosses(summary)
  if (losses > 0) {
    const { undecidable } = summary.newly_denied
    const devices = plural(losses, 'device')
    const later = summary.denied_later.devices
    const when = later === 0 ? '' : `, ${later === losses ? 'all of them' : count(later)} later`
    const hint =
      undecidable > 0
        ? ' A claim that was never recorded denies: ask for it with has(…) first, or in a clause of severity report.'
        : ''
    return `Next: ${devices} would lose access${losses === 1 && later === 1 ? ', later' : when}. Repair them or change the document before it is released.${hint}`
  }
  if (summary.compared === 0) return 'Next: let devices attest, then look again.'
  const isWhole = summary.questions === undefined || summary.questions.untested.length === 0
  const how = isWhole ? '' : ', as far as it could be tested'
  return `Next: nobody who is allowed now would lose access, now or later${how}; the document can be released.`
}

function more(rows: readonly unknown[]): string {
  const left = rows.length - LISTED_ROWS
  return left > 0 ? `\n… and ${left} more (--json lists them)` : ''
}
