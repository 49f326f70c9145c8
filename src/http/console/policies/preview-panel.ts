import { html } from 'hono/html'
import { plural } from '../../../base/words.ts'
import type { PreviewOfVersion } from '../../../operations/release/inspect-documents.ts'
import { type Bar, rankedBars } from '../charts/ranked-bars.ts'
import { agoTag, type Content, count, deviceLink, panel } from '../parts.ts'

type Summary = PreviewOfVersion['summary']

const MOST_BARS = 12
const MOST_EXAMPLES = 3

/** Who would be denied, and why, as it was looked at last; and a form to look again. */
export function previewPanel(input: {
  readonly preview: PreviewOfVersion | undefined
  readonly action: string
  readonly mayPreview: boolean
  readonly now: Date
}): Content {
  const { preview, action, mayPreview, now } = input
  const again = mayPreview
    ? html`<form method="post" action="${action}"><p><button class="${preview?.isCurrent === true ? '' : 'main'}" type="submit">${preview === undefined ? 'Preview over the recorded fleet' : 'Preview again'}</button></p></form>`
    : ''
  if (preview === undefined) {
    const body = html`<p>Nobody has looked yet what it would change for the fleet.</p>${again}`
    return panel('preview', 'Preview', body)
  }
  const { summary, at, by, isCurrent } = preview
  const old = isCurrent
    ? ''
    : html`<div class="note"><p>It was compared with what is not in force any more: preview again.</p></div>`
  const body = html`${old}${outcomeBars(summary)}${whyBars(summary)}${certainty(summary)}<p class="dim">Looked at ${agoTag(at, now)} by ${by}.</p>${again}`
  return panel('preview', 'Preview', body, true)
}

/** How many devices would come to what. */
function outcomeBars(summary: Summary): Content {
  const { newly_denied, newly_refused, newly_allowed, denied_later, unchanged } = summary
  const { compared, devices } = summary
  const bar = (label: string, value: number, tone: string, note = ''): Bar => {
    const share = compared === 0 ? '' : `${((100 * value) / compared).toFixed(1)} %`
    return { label, value, tone, note: note === '' ? share : `${share} ${note}` }
  }
  const undecidable = newly_denied.undecidable
  const want = undecidable === 0 ? '' : `(${count(undecidable)} for want of a recorded claim)`
  return html`<p>Of ${plural(devices, 'device')}, ${count(compared)} could be compared with what is in force.</p>${rankedBars(
    {
      caption: 'What would become of the devices',
      columns: ['Would be', 'Share', 'Devices'],
      bars: [
        bar('newly denied', newly_denied.devices, 'untrusted', want),
        bar('refused when it attests next', newly_refused.devices, 'untrusted'),
        bar('denied later', denied_later.devices, 'stale'),
        bar('newly allowed', newly_allowed.devices, 'trusted'),
        bar('still allowed', unchanged.granted, 'trusted'),
        bar('still denied', unchanged.denied, 'unknown'),
      ],
    },
  )}`
}

/** By which clauses devices would be denied and allowed, with some of them. */
function whyBars(summary: Summary): Content {
  const { newly_denied, newly_allowed, denied_later, newly_refused } = summary
  const anchors = newly_refused.by_anchor.map(({ anchor, name, devices, examples }) => ({
    ...{ clause: name ?? anchor ?? 'keys that no root vouches for', devices, examples },
  }))
  const policies = newly_refused.by_policy.map(({ policy_hash, devices, examples }) => ({
    ...{ clause: `no longer pinned: ${policy_hash}`, devices, examples },
  }))
  const later = denied_later.by_cause.map(({ cause, devices, examples }) => ({
    ...{ clause: cause, devices, examples },
  }))
  return html`${bars('Denied by', newly_denied.by_clause, 'untrusted')}${bars('Refused for', [...anchors, ...policies], 'untrusted')}${bars('Denied later by', later, 'stale')}${bars('Allowed that are denied now by', newly_allowed.by_clause, 'trusted')}`
}

type Cause = {
  readonly clause: string
  readonly devices: number
  readonly examples: readonly string[]
}

function bars(title: string, causes: readonly Cause[], tone: string): Content {
  if (causes.length === 0) return html``
  const shown = causes.slice(0, MOST_BARS)
  const more = causes.length - shown.length
  return html`<h3>${title}</h3>${rankedBars({
    caption: title,
    columns: [title, 'Such as', 'Devices'],
    bars: shown.map(({ clause, devices, examples }) => ({
      label: html`<code>${clause}</code>`,
      note: html`${examples.slice(0, MOST_EXAMPLES).map((one) => html`${deviceLink(one)} `)}`,
      tone,
      value: devices,
    })),
  })}${more > 0 ? html`<p class="dim">And ${count(more)} more.</p>` : ''}`
}

/** How far all of it can be relied on. */
function certainty({ evidence_age, compared, request_clauses, questions }: Summary): Content {
  const { older, under_7d } = evidence_age.compared
  const old = older + under_7d
  const requests =
    request_clauses.length === 0 || questions !== undefined
      ? ''
      : html` ${plural(request_clauses.length, 'clause')} read the question, which recorded claims do not reach.`
  return html`<p class="dim">${compared === 0 ? 'Nothing was compared, so this says nothing about the document.' : html`The evidence of ${plural(old, 'device')} of them is older than a day.`}${requests}</p>`
}
