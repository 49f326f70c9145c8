import { scaleUtc } from 'd3-scale'
import { html } from 'hono/html'
import { keyState } from '../../../keys/key-times.ts'
import type { StoredSigningKey } from '../../../store/system/stored-signing-keys.ts'
import { at, figure, tickText } from '../charts/figure.ts'
import { type Content, minute, table, timeTag } from '../parts.ts'

const WIDTH = 1040
const ROW = 26
const BAR = 12
const LEFT = 120
const RIGHT = WIDTH - 24
const BOTTOM = 20
const TIME_TICKS = 6
const SHOWN_KID = 12

/** Each key of a purpose as a bar: published, then signing, then accepted; now is a line across all of them. */
export function keyTimeline(
  id: string,
  title: string,
  keys: readonly StoredSigningKey[],
  now: Date,
): Content {
  const height = keys.length * ROW + BOTTOM
  const ends = keys.map((key) => endOf(key, now))
  const from = Math.min(...keys.map(({ createdAt }) => createdAt.getTime()), now.getTime())
  const until = Math.max(...ends.map((end) => end.getTime()), now.getTime() + 86_400_000)
  const x = scaleUtc([from, until], [LEFT, RIGHT])
  const bars = keys.map((key, row) => barOf(key, row, { x, now }))
  const times = x
    .ticks(TIME_TICKS)
    .map(
      (time) =>
        html`<text x="${at(x(time))}" y="${height - 4}" text-anchor="middle">${tickText(time, until - from)}</text>`,
    )
  const signing = keys.find((key) => keyState(key, now) === 'signing')
  return figure({
    ...{ id, title, width: WIDTH, height },
    says: `${keys.length} keys, from ${minute(new Date(from))} to ${minute(new Date(until))}; ${signing === undefined ? 'none signs now' : `${signing.kid} signs now`}.`,
    marks: html`${bars}<line class="line unknown" x1="${at(x(now))}" x2="${at(x(now))}" y1="0" y2="${height - BOTTOM}"/><g aria-hidden="true">${times}</g>`,
    table: table({
      caption: title,
      columns: [
        ...[{ title: 'Key' }, { title: 'Published' }, { title: 'Signs from' }],
        ...[{ title: 'Signs until' }, { title: 'Accepted until' }],
      ],
      rows: keys.map((key) => [
        html`<code>${key.kid}</code>`,
        timeTag(key.createdAt),
        timeTag(key.signsFrom),
        key.signsUntil === null ? 'a successor begins' : timeTag(key.signsUntil),
        acceptedText(key),
      ]),
    }),
  })
}

export function acceptedText({ retiredAt, acceptedUntil }: StoredSigningKey): Content | string {
  if (retiredAt !== null) return html`retired ${timeTag(retiredAt)}`
  return acceptedUntil === null ? 'a successor has followed' : timeTag(acceptedUntil)
}

/** When it counts no more, as far as that is known: one without a successor counts on. */
function endOf({ retiredAt, acceptedUntil }: StoredSigningKey, now: Date): Date {
  return retiredAt ?? acceptedUntil ?? now
}

function barOf(
  key: StoredSigningKey,
  row: number,
  { x, now }: { readonly x: (time: Date) => number; readonly now: Date },
): Content {
  const isOpen = key.retiredAt === null && key.acceptedUntil === null
  const end = isOpen ? RIGHT : x(endOf(key, now))
  const signsUntil = key.retiredAt ?? key.signsUntil
  const top = row * ROW
  const piece = (kind: string, begin: number, stop: number) =>
    stop <= begin
      ? ''
      : html`<rect class="${kind}" x="${at(begin)}" y="${top}" width="${at(stop - begin)}" height="${BAR}" rx="2"/>`
  const signs = Math.min(x(key.signsFrom), end)
  const signed = signsUntil === null ? end : Math.min(x(signsUntil), end)
  return html`<text x="0" y="${top + BAR - 2}">${key.kid.slice(0, SHOWN_KID)}${key.kid.length > SHOWN_KID ? '…' : ''}</text>${piece('track', x(key.createdAt), signs)}${piece('passed', signs, signed)}${piece('here', signed, end)}`
}
