import { html } from 'hono/html'
import { policiesOf } from '../../../operations/devices/find-devices.ts'
import type { Overview } from '../../../operations/overview/read-overview.ts'
import { type Bar, rankedBars } from '../charts/ranked-bars.ts'
import { type Content, link, panel } from '../parts.ts'

const SHOWN = 12

/** Devices by the clause that they do not meet, those that deny first. */
export function denialsPanel({ summary, rules }: Overview): Content {
  const bars = summary === null ? [] : barsOf(summary.counts.failing, rules)
  const body =
    bars.length === 0
      ? html`<p>Every device meets every clause.</p>`
      : rankedBars({
          caption: 'Devices by the clause that they do not meet',
          columns: ['Clause', 'Effect', 'Devices'],
          bars: bars.slice(0, SHOWN),
        })
  return panel('denials', 'Denials by clause', body)
}

function barsOf(
  failing: Readonly<Record<string, number>>,
  rules: Overview['rules'],
): readonly Bar[] {
  const policies = rules === null ? [] : policiesOf(rules)
  return Object.entries(failing)
    .filter(([, devices]) => devices > 0)
    .map(([key, devices]) => {
      const [severity = '', clause = ''] = key.split(':')
      return { severity, clause, devices }
    })
    .sort((a, b) => a.severity.localeCompare(b.severity) || b.devices - a.devices)
    .map(({ severity, clause, devices }) => {
      const title = policies.map((policy) => policy.clauseById.get(clause)).find(Boolean)?.texts
        .en.title
      return {
        label: html`<a href="${link('/console/devices', { clause })}">${clause}</a>${title === undefined ? '' : html`<br><small>${title}</small>`}`,
        note: severity === 'enforce' ? 'denies' : 'reports',
        tone: severity === 'enforce' ? 'untrusted' : 'unknown',
        value: devices,
      }
    })
}
