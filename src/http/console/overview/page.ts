import { html } from 'hono/html'
import { VERDICTS, type Verdict } from '../../../access/trust-record.ts'
import type { Overview, OverviewRange } from '../../../operations/overview/read-overview.ts'
import { overTime } from '../charts/over-time.ts'
import type { Page } from '../layout.ts'
import { agoTag, type Content, count, link, panel, verdictTag } from '../parts.ts'
import { alarmsPanel } from './alarms.ts'
import { changesPanel } from './changes.ts'
import { denialsPanel } from './denials.ts'
import { firstSteps } from './first-steps.ts'
import { streamsPanel, verifiersPanel } from './others.ts'
import { rolloutsPanel } from './rollouts.ts'

const RANGES: Readonly<Record<OverviewRange, string>> = {
  day: '24 hours',
  week: '7 days',
  month: '30 days',
  quarter: '90 days',
}

/** Trusted devices are so many that the others would not be seen beside them. */
const NOT_TRUSTED = VERDICTS.filter((verdict) => verdict !== 'trusted')

export function overviewPage(
  overview: Overview,
  { range, publicUrl }: { readonly range: OverviewRange; readonly publicUrl: string },
): Page {
  const page = { title: 'Overview', section: '' }
  if (!overview.hasDevices) return { ...page, body: firstSteps(overview, publicUrl) }
  return {
    ...page,
    aside: sweptAside(overview),
    body: html`${tiles(overview)}${alarmsPanel(overview)}
<div class="cols">${verdictsPanel(overview, range)}${denialsPanel(overview)}${rolloutsPanel(overview)}${changesPanel(overview)}${verifiersPanel(overview)}${streamsPanel(overview)}</div>`,
  }
}

function sweptAside({ summary, now }: Overview): Content {
  return summary === null
    ? html`<small>The fleet is being counted for the first time.</small>`
    : html`<small>Counted by the sweep that ended ${agoTag(summary.at, now)}</small>`
}

/** How many devices have each verdict, and what became of that number in the last hour and day. */
function tiles({ summary, before }: Overview): Content {
  if (summary === null) return html``
  const entries = VERDICTS.map((verdict) => {
    const devices = summary.counts.verdicts[verdict] ?? 0
    const deltas = [
      deltaTag(
        devices,
        before.hour?.counts.verdicts[verdict] ?? (before.hour ? 0 : undefined),
        'hour',
      ),
      deltaTag(
        devices,
        before.day?.counts.verdicts[verdict] ?? (before.day ? 0 : undefined),
        'day',
      ),
    ]
    return html`<li><a href="${link('/console/devices', { verdict })}">${verdictTag(verdict)}</a><strong>${count(devices)}</strong><small>${deltas}</small></li>\n`
  })
  return html`<ul class="tiles">${entries}</ul>`
}

function deltaTag(now: number, before: number | undefined, time: string): Content {
  if (before === undefined) return html`<span>no count of the ${time} before</span><br>`
  const delta = now - before
  const text = delta === 0 ? 'unchanged' : `${delta > 0 ? '+' : '−'}${count(Math.abs(delta))}`
  return html`<span>${text} in the ${time}</span><br>`
}

function verdictsPanel({ history, now }: Overview, range: OverviewRange): Content {
  const choices = Object.entries(RANGES).map(([name, title]) =>
    name === range
      ? html`<strong aria-current="true">${title}</strong> `
      : html`<a href="${link('/console', { range: name })}">${title}</a> `,
  )
  const points = history.map(({ at, counts }) => ({ at, values: counts.verdicts }))
  const picture =
    points.length < 2
      ? html`<p class="dim">Counts over time appear here: a sweep of the fleet leaves one each quarter of an hour.</p>`
      : overTime({
          id: 'verdicts-chart',
          title: 'Devices that are not trusted',
          series: NOT_TRUSTED.map((verdict: Verdict) => ({ key: verdict, label: verdict })),
          ...{ points, until: now },
        })
  return panel(
    'verdicts',
    'Devices that are not trusted, over time',
    html`<p>${choices}</p>${picture}`,
  )
}
