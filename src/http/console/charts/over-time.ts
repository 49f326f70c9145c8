import { scaleLinear, scaleUtc } from 'd3-scale'
import { area, curveStepAfter, stack } from 'd3-shape'
import { html } from 'hono/html'
import { type Content, count, minute, table } from '../parts.ts'
import { at, figure, tickText } from './figure.ts'

/** What is stacked: `key` is the name of its class in the stylesheet too. */
export type Series = { readonly key: string; readonly label: string }

export type Point = { readonly at: Date; readonly values: Readonly<Record<string, number>> }

const WIDTH = 560
const HEIGHT = 190
const MARGIN = { top: 8, right: 8, bottom: 20, left: 48 } as const
const TIME_TICKS = 6
const COUNT_TICKS = 4

/**
 * Counts over time, stacked, the first series at the bottom. A count holds until the next one. The points are in the
 * order of time, and there are at least two.
 */
export function overTime(input: {
  readonly id: string
  readonly title: string
  readonly series: readonly Series[]
  readonly points: readonly Point[]
  readonly until: Date
}): Content {
  const { id, title, series, points, until } = input
  const first = points[0]
  const last = points.at(-1)
  if (first === undefined || last === undefined) throw new TypeError('nothing to draw')
  // The last count holds until now.
  const drawn = until > last.at ? [...points, { ...last, at: until }] : points
  const x = scaleUtc([first.at, until], [MARGIN.left, WIDTH - MARGIN.right])
  const layers = stack<Point, string>()
    .keys(series.map(({ key }) => key))
    .value(({ values }, key) => values[key] ?? 0)(drawn)
  const most = Math.max(1, ...layers.flatMap((layer) => layer.map(([, top]) => top)))
  const y = scaleLinear([0, most], [HEIGHT - MARGIN.bottom, MARGIN.top]).nice(COUNT_TICKS)
  const shape = area<(typeof layers)[number][number]>()
    .x(({ data }) => x(data.at))
    .y0(([bottom]) => y(bottom))
    .y1(([, top]) => y(top))
    .curve(curveStepAfter)
    .digits(1)
  const areas = layers.map(
    (layer) => html`<path class="area fill ${layer.key}" d="${shape(layer) ?? ''}"/>`,
  )
  const named = series.map(({ key, label }) => `${label} ${count(last.values[key] ?? 0)}`)
  return figure({
    ...{ id, title, width: WIDTH, height: HEIGHT },
    says: `From ${minute(first.at)} to ${minute(until)}. At the end: ${named.join(', ')}.`,
    legend: html`<ul class="legend">${series.map(({ key, label }) => html`<li><span class="v ${key}">${label}</span></li>`)}</ul>`,
    marks: html`${axes(x, y)}${areas}`,
    table: table({
      caption: title,
      columns: [
        { title: 'From' },
        ...series.map(({ label }) => ({ title: label, isNumber: true })),
      ],
      rows: [...points]
        .reverse()
        .map((point) => [
          minute(point.at),
          ...series.map(({ key }) => count(point.values[key] ?? 0)),
        ]),
    }),
  })
}

function axes(
  x: ReturnType<typeof scaleUtc<number>>,
  y: ReturnType<typeof scaleLinear<number>>,
): Content {
  const [from, until] = x.domain()
  const span = Number(until) - Number(from)
  const bottom = HEIGHT - MARGIN.bottom
  const across = y
    .ticks(COUNT_TICKS)
    .filter(Number.isInteger)
    .map(
      (value) =>
        html`<line class="axis" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at(y(value))}" y2="${at(y(value))}"/><text x="${MARGIN.left - 6}" y="${at(y(value) + 4)}" text-anchor="end">${count(value)}</text>`,
    )
  const along = x
    .ticks(TIME_TICKS)
    .map(
      (time) =>
        html`<line class="axis" x1="${at(x(time))}" x2="${at(x(time))}" y1="${bottom}" y2="${bottom + 4}"/><text x="${at(x(time))}" y="${HEIGHT - 4}" text-anchor="middle">${tickText(time, span)}</text>`,
    )
  return html`<g aria-hidden="true">${across}${along}</g>`
}
