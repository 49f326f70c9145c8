import { html } from 'hono/html'
import type { Verdict } from '../../access/trust-record.ts'

/** What a page is made of: `html` escapes whatever is put into it. */
export type Content = ReturnType<typeof html>

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** `3 min ago`, `in 2 h`, `40 days ago`, `just now`. */
export function relative(time: Date, now: Date): string {
  const ms = now.getTime() - time.getTime()
  const size = Math.abs(ms)
  if (size < MINUTE_MS) return 'just now'
  const text =
    size < 2 * HOUR_MS
      ? `${Math.floor(size / MINUTE_MS)} min`
      : size < 2 * DAY_MS
        ? `${Math.floor(size / HOUR_MS)} h`
        : `${Math.floor(size / DAY_MS)} days`
  return ms > 0 ? `${text} ago` : `in ${text}`
}

/** `2026-11-28 05:12`, in UTC as the foot of the page says. */
export function minute(time: Date): string {
  return time.toISOString().slice(0, 16).replace('T', ' ')
}

/** A text of ours in which ISO 8601 stands: to the minute, as times stand elsewhere. */
export function plainTimes(text: string): string {
  return text.replace(/(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?Z/g, '$1 $2')
}

/** A time to the minute, with the whole of it for programs. */
export function timeTag(time: Date): Content {
  return html`<time datetime="${time.toISOString()}">${minute(time)}</time>`
}

/** A time as how long ago it was; the whole of it shows on pointing, and stands behind it for programs. */
export function agoTag(time: Date, now: Date): Content {
  const iso = time.toISOString()
  return html`<time datetime="${iso}" title="${iso}">${relative(time, now)}</time>`
}

/** What is typed or compared as it stands: a command, an id, a value. */
export function codeTag(text: string): Content {
  return html`<code>${text}</code>`
}

/** `12,040`. */
export function count(many: number): string {
  return many.toLocaleString('en')
}

/** A verdict by shape, word and colour. `note` says what keeps it so, such as a grace. */
export function verdictTag(verdict: Verdict, note = ''): Content {
  return html`<span class="v ${verdict}">${verdict}${note === '' ? '' : ` (${note})`}</span>`
}

/** A section of a page with its own heading. `id` names the heading, and is unique in the page. */
export function panel(id: string, title: string, body: Content, isWide = false): Content {
  return html`<section class="panel${isWide ? ' wide' : ''}" aria-labelledby="${id}">
<h2 id="${id}">${title}</h2>
${body}
</section>`
}

/** Facts by name; what is `undefined` is left out. */
export function facts(
  entries: Readonly<Record<string, Content | string | number | undefined>>,
): Content {
  const rows = Object.entries(entries).flatMap(([name, value]) =>
    value === undefined ? [] : [html`<dt>${name}</dt><dd>${value}</dd>`],
  )
  return html`<dl class="facts">${rows}</dl>`
}

export type Column = {
  readonly title: string
  /** Numbers stand at the end of their cell, below each other. */
  readonly isNumber?: boolean
}

/**
 * A table whose first column names its rows. One that is wider than the page scrolls by itself, for which it can be
 * focused (WCAG 2.2 §2.1.1).
 */
export function table(input: {
  readonly caption: string
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly (Content | string | number)[])[]
  /** Whether the caption is for screen readers alone, since a heading says it already. */
  readonly isCaptionHidden?: boolean
}): Content {
  const { caption, columns, rows, isCaptionHidden = true } = input
  const kind = (at: number) => (columns[at]?.isNumber === true ? html` class="n"` : '')
  const head = columns.map(({ title }, at) => html`<th scope="col"${kind(at)}>${title}</th>`)
  const body = rows.map((cells) => {
    const line = cells.map((cell, at) =>
      at === 0 ? html`<th scope="row">${cell}</th>` : html`<td${kind(at)}>${cell}</td>`,
    )
    return html`<tr>${line}</tr>\n`
  })
  return html`<div class="scroll" tabindex="0" role="group" aria-label="${caption}"><table>
<caption${isCaptionHidden ? html` class="vh"` : ''}>${caption}</caption>
<thead><tr>${head}</tr></thead>
<tbody>
${body}</tbody></table></div>`
}

/** A path of the console with what was chosen; what is empty is left out. */
export function link(
  path: string,
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const chosen = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, value]],
  )
  return chosen.length === 0 ? path : `${path}?${new URLSearchParams(chosen)}`
}

export function devicePath(deviceId: string): string {
  return `/console/devices/${encodeURIComponent(deviceId)}`
}

/** The beginning of an id, which leads to its device. */
export function deviceLink(deviceId: string, name?: string | null): Content {
  const shown = name ?? shortId(deviceId)
  return html`<a href="${devicePath(deviceId)}"${name ? '' : html` class="id nowrap"`}>${shown}</a>`
}

const SHOWN_ID = 14

export function shortId(id: string): string {
  return id.length > SHOWN_ID ? `${id.slice(0, SHOWN_ID)}…` : id
}
