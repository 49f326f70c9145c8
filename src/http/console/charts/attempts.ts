import { scalePoint, scaleUtc } from 'd3-scale'
import { curveStepAfter, line } from 'd3-shape'
import { html } from 'hono/html'
import { type Content, minute, table } from '../parts.ts'
import { at, figure, tickText } from './figure.ts'

/** One attempt of a device to attest: what it was recorded as, or that it was refused. */
export type Attempt = {
  readonly at: Date
  readonly outcome: 'trusted' | 'unknown' | 'untrusted' | 'refused'
  readonly why: string
}

const WIDTH = 1040
const HEIGHT = 120
const MARGIN = { top: 12, right: 12, bottom: 20, left: 76 } as const
const OUTCOMES = ['trusted', 'unknown', 'untrusted', 'refused'] as const
const TIME_TICKS = 6

/** The history of a device as a line from attempt to attempt, the oldest first. There is at least one. */
export function attemptsLine(input: {
  readonly id: string
  readonly attempts: readonly Attempt[]
  readonly until: Date
}): Content {
  const { id, attempts, until } = input
  const first = attempts[0]
  const last = attempts.at(-1)
  if (first === undefined || last === undefined) throw new TypeError('nothing to draw')
  const x = scaleUtc([first.at, until], [MARGIN.left, WIDTH - MARGIN.right])
  const y = scalePoint(OUTCOMES, [MARGIN.top, HEIGHT - MARGIN.bottom - 8])
  const height = (outcome: Attempt['outcome']) => y(outcome) ?? 0
  // What is refused changes nothing: the line goes on as it was.
  const accepted = attempts.filter(({ outcome }) => outcome !== 'refused')
  const lastAccepted = accepted.at(-1)
  const path = line<Attempt>()
    .x((one) => x(one.at))
    .y((one) => height(one.outcome))
    .curve(curveStepAfter)
    .digits(1)(lastAccepted === undefined ? [] : [...accepted, { ...lastAccepted, at: until }])
  const span = until.getTime() - first.at.getTime()
  const grid = OUTCOMES.map(
    (outcome) =>
      html`<line class="axis" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at(height(outcome))}" y2="${at(height(outcome))}"/><text x="${MARGIN.left - 8}" y="${at(height(outcome) + 4)}" text-anchor="end">${outcome}</text>`,
  )
  const times = x
    .ticks(TIME_TICKS)
    .map(
      (time) =>
        html`<text x="${at(x(time))}" y="${HEIGHT - 4}" text-anchor="middle">${tickText(time, span)}</text>`,
    )
  const marks = attempts.map((one) =>
    one.outcome === 'refused'
      ? html`<path class="line untrusted" d="M${at(x(one.at) - 4)} ${at(height('refused') - 4)}l8 8m0-8l-8 8"/>`
      : html`<circle class="mark ${one.outcome}" cx="${at(x(one.at))}" cy="${at(height(one.outcome))}" r="3.5"/>`,
  )
  return figure({
    ...{ id, title: 'Attempts to attest', width: WIDTH, height: HEIGHT },
    says: `${attempts.length} attempts from ${minute(first.at)} to ${minute(last.at)}; the last was ${last.outcome}.`,
    marks: html`<g aria-hidden="true">${grid}${times}</g><path class="line unknown" d="${path ?? ''}"/>${marks}`,
    table: table({
      caption: 'Attempts to attest, the newest first',
      columns: [{ title: 'At' }, { title: 'Came to' }, { title: 'Why' }],
      rows: [...attempts].reverse().map((one) => [minute(one.at), one.outcome, one.why]),
    }),
  })
}
