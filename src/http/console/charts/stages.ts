import { scaleBand } from 'd3-scale'
import { html } from 'hono/html'
import { isOpen, type Rollout, type RolloutPass } from '../../../rollout/rollout.ts'
import { type Content, table } from '../parts.ts'
import { at, figure } from './figure.ts'

const WIDTH = 560
const TRACK = 16
const ROW = 40
const LEFT = 64
const PASSES: readonly { readonly pass: RolloutPass; readonly label: string }[] = [
  { pass: 'audit', label: 'Tried' },
  { pass: 'enforce', label: 'Decides' },
]

type StageState = 'passed' | 'here' | 'stopped' | 'track'

const STATE_WORDS: Readonly<Record<StageState, string>> = {
  passed: 'gone through',
  here: 'under way',
  stopped: 'ended here',
  track: 'to come',
}

/**
 * The rings of a rollout: through each it goes twice, at first without deciding, then deciding. The one that it is in
 * fills up with the time for which it has to stay healthy there.
 */
export function stages(rollout: Rollout, id: string, now: Date): Content {
  const { plan } = rollout
  const done = bakedShare(rollout, now)
  const names = plan.stages.map(({ percent, labels }) => [`${percent} %`, ...labels].join(' + '))
  const x = scaleBand(
    names.map((_, stage) => String(stage)),
    [LEFT, WIDTH],
  ).paddingInner(0.04)
  const rows = PASSES.map(({ pass, label }, row) => {
    const rings = names.map((name, stage) => {
      const state = stateOf(rollout, pass, stage)
      const left = at(x(String(stage)) ?? LEFT)
      return html`<rect class="${state}" x="${left}" y="${row * ROW}" width="${at(x.bandwidth())}" height="${TRACK}" rx="2"/>${state === 'here' ? filled(left, row, x.bandwidth() * done) : ''}<text x="${left}" y="${row * ROW + TRACK + 12}">${MARKS[state]} ${name}</text>`
    })
    return html`<text x="0" y="${row * ROW + 12}">${label}</text>${rings}`
  })
  return figure({
    ...{ id, title: `Rings of ${rollout.rolloutId}`, width: WIDTH, height: PASSES.length * ROW },
    says: `${rollout.state}, in ring ${rollout.stage + 1} of ${plan.stages.length} of the pass in which the new document ${rollout.pass === 'audit' ? 'is tried' : 'decides'}.`,
    marks: html`${rows}`,
    table: table({
      caption: `Rings of ${rollout.rolloutId}`,
      columns: [{ title: 'Ring' }, ...PASSES.map(({ label }) => ({ title: label }))],
      rows: names.map((name, stage) => [
        name,
        ...PASSES.map(({ pass }) => STATE_WORDS[stateOf(rollout, pass, stage)]),
      ]),
    }),
  })
}

const MARKS: Readonly<Record<StageState, string>> = {
  passed: '✓',
  here: '▸',
  stopped: '×',
  track: '',
}

function filled(left: string, row: number, width: number): Content {
  return html`<rect class="passed" x="${left}" y="${row * ROW}" width="${at(width)}" height="${TRACK}" rx="2"/>`
}

/** How much of its time in the ring a rollout has stayed healthy, from 0 to 1. */
function bakedShare({ since, plan }: Rollout, now: Date): number {
  const seconds = (now.getTime() - since.getTime()) / 1000
  return Math.min(1, Math.max(0, seconds / Math.max(1, plan.bakeSeconds)))
}

function stateOf(rollout: Rollout, pass: RolloutPass, stage: number): StageState {
  const { plan, state } = rollout
  const place = (of: RolloutPass, nth: number) => (of === 'audit' ? 0 : plan.stages.length) + nth
  const [here, asked] = [place(rollout.pass, rollout.stage), place(pass, stage)]
  if (state === 'done' || asked < here) return 'passed'
  if (asked > here) return 'track'
  return isOpen(state) ? 'here' : 'stopped'
}
