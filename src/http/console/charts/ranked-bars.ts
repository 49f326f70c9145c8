import { scaleLinear } from 'd3-scale'
import { html } from 'hono/html'
import { type Content, count, table } from '../parts.ts'
import { at } from './figure.ts'

export type Bar = {
  readonly label: Content | string
  readonly value: number
  /** A class of the stylesheet that colours the bar. */
  readonly tone: string
  /** What else stands in the row, after the name. */
  readonly note: Content | string
}

const LONGEST = 200

/** A table of counts, each with a bar beside it: table and picture in one. */
export function rankedBars(input: {
  readonly caption: string
  readonly columns: readonly [name: string, note: string, value: string]
  readonly bars: readonly Bar[]
}): Content {
  const { caption, bars } = input
  const [name, note, value] = input.columns
  const length = scaleLinear([0, Math.max(1, ...bars.map((bar) => bar.value))], [0, LONGEST])
  return table({
    caption,
    columns: [
      { title: name },
      { title: note },
      { title: value, isNumber: true },
      { title: 'As a bar' },
    ],
    rows: bars.map((bar) => [
      bar.label,
      bar.note,
      count(bar.value),
      html`<div class="bar ${bar.tone}"><svg viewBox="0 0 ${LONGEST} 12" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="${LONGEST}" height="12"/><rect width="${at(length(bar.value))}" height="12"/></svg></div>`,
    ]),
  })
}
