import { html } from 'hono/html'
import type { InspectedDevice } from '../../../operations/devices/inspect-device.ts'
import type { HistoryEntry } from '../../../store/devices/device-history.ts'
import type { Json } from '../../../store/json.ts'
import { type Attempt, attemptsLine } from '../charts/attempts.ts'
import { agoTag, type Content, codeTag, devicePath, link, panel, table, timeTag } from '../parts.ts'

/** The attempts of a device as a line, and each of them with what it came to. */
export function historyPanel({ history, nextBefore, deviceId, now }: InspectedDevice): Content {
  if (history.length === 0) {
    return panel('history', 'History', html`<p>It has not tried to attest yet.</p>`, true)
  }
  const attempts = [...history].reverse().map(toAttempt)
  const older =
    nextBefore === null
      ? html`<span class="dim">No attempt before these is kept.</span>`
      : html`<a class="button" href="${link(devicePath(deviceId), { before: nextBefore })}">Older attempts</a>`
  const refused = history.filter(({ outcome }) => outcome === 'refused')
  const body = html`${attemptsLine({ id: 'history-chart', attempts, until: now })}
${refused.length === 0 ? '' : refusals(refused, now)}
<nav class="pager" aria-label="History">${older}</nav>`
  return panel('history', 'History', body, true)
}

function toAttempt({ at, outcome, verdict, reasons }: HistoryEntry): Attempt {
  const why = reasons.map(nameOfReason).join(', ')
  return outcome === 'refused' || verdict === null
    ? { at, outcome: 'refused', why }
    : { at, outcome: verdict, why }
}

/** The clause or the code of a reason as it is recorded. */
function nameOfReason(reason: Json): string {
  const { clause, code } = Object(reason)
  return String(clause ?? code ?? JSON.stringify(reason))
}

/** Where each refused attempt ended, with the steps that were taken before. */
function refusals(refused: readonly HistoryEntry[], now: Date): Content {
  return html`<h3>Refused attempts</h3>${table({
    caption: 'Refused attempts, the newest first',
    columns: [{ title: 'When' }, { title: 'Ended at' }, { title: 'Why' }, { title: 'Steps' }],
    rows: refused.map(({ at, stage, reasons, trace }) => [
      html`${timeTag(at)}<br><small>${agoTag(at, now)}</small>`,
      stage ?? '',
      html`${reasons.map((reason) => html`<div>${reasonText(reason)}</div>`)}`,
      stepsOf(trace),
    ]),
  })}`
}

/** The reason, and where in the evidence it is: which event of the boot log, which PCRs. */
function reasonText(reason: Json): Content {
  const { code, clause, ...where } = Object(reason)
  const places = Object.entries(where).map(([name, value]) => {
    return html`<br><small>${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}</small>`
  })
  return html`${codeTag(String(clause ?? code ?? 'unknown'))}${places}`
}

function stepsOf(trace: Json): Content {
  const steps: readonly unknown[] = Array.isArray(trace) ? trace : []
  if (steps.length === 0) return html``
  const entries = steps.map((one) => {
    const { step, outcome, detail } = Object(one)
    const tone = outcome === 'passed' ? 'trusted' : outcome === 'failed' ? 'untrusted' : 'unknown'
    return html`<li><span class="v ${tone}">${outcome}</span> ${step}${detail ? html`: ${detail}` : ''}</li>`
  })
  return html`<details><summary>${steps.length} steps</summary><ul class="plain">${entries}</ul></details>`
}

/** What people and jobs did to the device. */
export function changesOfDevice({ changes, now }: InspectedDevice): Content {
  const body =
    changes.length === 0
      ? html`<p>Nobody changed anything about it in the last 90 days.</p>`
      : table({
          caption: 'Changes, the newest first',
          columns: [{ title: 'What' }, { title: 'When' }, { title: 'By' }, { title: 'More' }],
          rows: changes.map(({ at, action, actor, detail }) => [
            action,
            html`<span class="nowrap">${agoTag(at, now)}</span>`,
            actor,
            html`<small>${detailText(detail)}</small>`,
          ]),
        })
  return panel('device-changes', 'Changed by people and jobs', body, true)
}

const MAX_DETAIL_CHARS = 240

/** What was said before and what is said now, where that is what it tells; else all of it. */
function detailText(detail: Json): string {
  const { before, changes, ...others } = Object(detail)
  const changed = Object.entries(Object(changes)).filter(
    ([name, value]) => textOf(value) !== textOf(Object(before)[name]),
  )
  const parts = [
    ...changed.map(
      ([name, value]) => `${name}: ${textOf(Object(before)[name])} → ${textOf(value)}`,
    ),
    ...Object.entries(others).map(([name, value]) => `${name}: ${textOf(value)}`),
  ]
  const text = parts.join('; ')
  return text.length > MAX_DETAIL_CHARS ? `${text.slice(0, MAX_DETAIL_CHARS)}…` : text
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(textOf).join(', ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}
