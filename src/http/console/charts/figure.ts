import { html } from 'hono/html'
import type { Content } from '../parts.ts'

/**
 * A picture with the table of what it shows behind it, for whoever cannot see it or wants the numbers. `id` is unique
 * in the page; `says` is what the picture says, in a sentence.
 */
export function figure(input: {
  readonly id: string
  readonly title: string
  readonly says: string
  readonly width: number
  readonly height: number
  readonly marks: Content
  readonly legend?: Content
  readonly table: Content
}): Content {
  const { id, title, says, width, height, marks, legend, table } = input
  return html`<figure class="chart">
${legend ?? ''}
<svg viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-title ${id}-says">
<title id="${id}-title">${title}</title><desc id="${id}-says">${says}</desc>
${marks}
</svg>
<details><summary>${title}: the numbers</summary>${table}</details>
</figure>`
}

/** Coordinates with a tenth of a unit, which nobody sees the difference of. */
export function at(place: number): string {
  return String(Math.round(place * 10) / 10)
}

const DAY_MS = 86_400_000

/** What a mark of a time axis says: the hour where the axis is short, else the day, in UTC. */
export function tickText(time: Date, spanMs: number): string {
  return spanMs <= 2 * DAY_MS
    ? time.toISOString().slice(11, 16)
    : time.toLocaleDateString('en', { day: 'numeric', month: 'short', timeZone: 'UTC' })
}
