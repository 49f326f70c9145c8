import { html } from 'hono/html'
import type { FoundEntries } from '../../../operations/audit/read-audit.ts'
import type { AuditEntry } from '../../../store/system/audit-log.ts'
import { formatPosition } from '../../../views/list-position.ts'
import { textField } from '../fields.ts'
import type { Page } from '../layout.ts'
import { agoTag, type Content, deviceLink, link, table, timeTag } from '../parts.ts'
import { changesCell, requestCell, tellEntry } from './entry.ts'
import type { Chosen } from './query.ts'

export const AUDIT_PATH = '/console/audit'

/** Under which device entries stand that concern none. */
const NO_DEVICE = 'service'

/** A page of the audit log; without what was found, the form alone. */
export function auditPage(input: {
  readonly chosen: Chosen
  readonly found: FoundEntries | undefined
  readonly now: Date
}): Page {
  const { chosen, found, now } = input
  const body = found === undefined ? '' : html`${list(chosen, found, now)}${pager(chosen, found)}`
  return { title: 'Audit', section: 'audit', body: html`${form(chosen)}${body}` }
}

function form(chosen: Chosen): Content {
  const field = (
    name: string,
    title: string,
    more: Partial<Parameters<typeof textField>[0]> = {},
  ) =>
    html`<div>${textField({ id: `f-${name}`, name, title, value: chosen[name], most: 200, ...more })}</div>`
  return html`<form class="fields" method="get" action="${AUDIT_PATH}" aria-label="Filters">
${field('actor', 'Who (exactly)', { placeholder: 'person:…, cli_…, cli:user@host' })}
${field('action', 'What (exactly)', { placeholder: 'device.quarantined', most: 64 })}
${field('device', 'Device', { placeholder: 'dev_…' })}
${field('since', 'From, UTC', { placeholder: '2026-12-01T08:00' })}
${field('until', 'Until, UTC', { placeholder: '2026-12-01T08:00' })}
<div><button class="main" type="submit">Find</button> <a class="button" href="${AUDIT_PATH}">All</a></div>
</form>`
}

function list(chosen: Chosen, { entries, since, until }: FoundEntries, now: Date): Content {
  const time = html`<p class="dim">Looked through from ${timeTag(since)} to ${timeTag(until)}.</p>`
  if (entries.length === 0) return html`<p>No entry matches.</p>${time}`
  const rows = entries.map((entry) => rowOf(chosen, entry, now))
  return html`${time}${table({
    caption: 'Entries of the audit log, the newest first',
    columns: [
      ...[{ title: 'When' }, { title: 'What' }, { title: 'Who' }, { title: 'Device' }],
      ...[{ title: 'Before and after' }, { title: 'Why' }, { title: 'Request' }],
    ],
    rows,
  })}`
}

function rowOf(chosen: Chosen, entry: AuditEntry, now: Date): readonly (Content | string)[] {
  const { at, actor, action, deviceId } = entry
  const told = tellEntry(entry)
  const { before: _, ...kept } = chosen
  const narrowed = (name: string, value: string) =>
    html`<a href="${link(AUDIT_PATH, { ...kept, [name]: value })}">${value}</a>`
  return [
    html`<span class="nowrap">${timeTag(at)}</span><br><small>${agoTag(at, now)}</small>`,
    narrowed('action', action),
    html`<div class="thin">${narrowed('actor', actor)}</div>`,
    deviceId === NO_DEVICE ? '' : html`<span class="nowrap">${deviceLink(deviceId)}</span>`,
    html`<div class="why wraps">${changesCell(told)}</div>`,
    html`<div class="thin">${told.reason ?? ''}</div>`,
    html`<div class="thin">${requestCell(told)}</div>`,
  ]
}

/** Pages lie behind an entry, so that none moves while entries come. */
function pager({ before, ...chosen }: Chosen, { nextBefore, since }: FoundEntries): Content {
  const first =
    before === undefined
      ? ''
      : html`<a class="button" href="${link(AUDIT_PATH, chosen)}">Newest</a>`
  const next =
    nextBefore === null
      ? html`<span class="dim">That is the end of this time.</span> <a class="button" href="${link(AUDIT_PATH, { ...chosen, ...earlier(since) })}">Time before</a>`
      : html`<a class="button" rel="next" href="${link(AUDIT_PATH, { ...chosen, before: formatPosition(nextBefore.at, nextBefore.auditId) })}">Older entries</a>`
  return html`<nav class="pager" aria-label="Pages">${first}${next}</nav>`
}

const SPAN_MS = 30 * 86_400_000

/** As long a time again, which ends where the one that was looked through begins. */
function earlier(since: Date): { readonly since: string; readonly until: string } {
  const text = (time: Date) => time.toISOString().slice(0, 16)
  const until = new Date(Math.ceil(since.getTime() / 60_000) * 60_000)
  return { since: text(new Date(until.getTime() - SPAN_MS)), until: text(until) }
}
