import { COMMAND } from '../../base/command.ts'
import { percentage, plural } from '../../base/words.ts'
import type { RolloutBudget } from '../../rollout/budget.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import {
  isOpen,
  nameStage,
  type Rollout,
  type RolloutPass,
  type RolloutStage,
  sampleNeeded,
} from '../../rollout/rollout.ts'
import { earliestEnd, type Wait, waitOf } from '../../rollout/waits.ts'
import type { Store } from '../../store/store.ts'
import { showObserved, showRollout } from '../../views/show-control.ts'
import { fields } from '../framework/fields.ts'
import { count } from '../framework/numbers.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'
import { UsageError } from '../framework/usage-error.ts'

const LOOKED_THROUGH = 100

/** Prints one rollout; without an id those that are open, or else the last one. */
export async function showRollouts(
  store: Store,
  options: {
    readonly id: string | undefined
    readonly kind: DocumentKind | undefined
    readonly json: boolean
    readonly now: Date
  },
): Promise<number> {
  const { id, kind, json, now } = options
  const rollouts = await find(store, id, kind)
  const described: string[] = []
  const shown: object[] = []
  for (const rollout of rollouts) {
    const seen = await store.rolloutObservations(rollout.rolloutId, rollout.revision)
    const observed = showObserved(seen)
    shown.push({ ...showRollout(rollout, now), observed })
    described.push(describeRollout(rollout, { observed, now }))
  }
  if (json) printJson(id === undefined ? shown : shown[0])
  else printText(described.join('\n') || 'There was no rollout yet.\n')
  return 0
}

async function find(
  store: Store,
  id: string | undefined,
  kind: DocumentKind | undefined,
): Promise<readonly Rollout[]> {
  if (id !== undefined) {
    const rollout = await store.rollout(id)
    if (rollout === null) throw new Error(`there is no rollout ${id}: ${COMMAND} rollout list`)
    if (kind !== undefined && rollout.kind !== kind) {
      throw new UsageError(`${id} is a rollout of ${rollout.kind}: leave --kind out`)
    }
    return [rollout]
  }
  const listed = await store.listRollouts(LOOKED_THROUGH)
  const all = listed.filter((one) => kind === undefined || one.kind === kind)
  const open = all.filter(({ state }) => isOpen(state))
  return open.length > 0 ? open : all.slice(0, 1)
}

function describeRollout(
  rollout: Rollout,
  { observed, now }: { readonly observed: ReturnType<typeof showObserved>; readonly now: Date },
): string {
  const { rolloutId, kind, from, to, state, author, reason, createdAt, note, plan } = rollout
  const { despite } = rollout
  const facts = {
    rollout: rolloutId,
    kind,
    from,
    to,
    begun: `${createdAt.toISOString()} by ${author}: ${reason}`,
    state,
    why: note === reason ? undefined : note,
    despite:
      despite && `released all the same by ${despite.by} at ${despite.at}: ${despite.reason}`,
    budget: describeBudget(plan.budget),
  }
  const parts = [
    fields(facts, ''),
    drawRollout(rollout),
    isOpen(state) ? describeStand(rollout, now) : '',
    describeHealth(rollout),
    observed.decisions === 0
      ? ''
      : `Of ${plural(observed.decisions, 'question')} since the last step devices lost something: ${observed.newly_denied}\n`,
    isOpen(state) ? describeVerbs(rollout) : '',
  ]
  return parts.filter((part) => part !== '').join('\n')
}

function describeBudget({ devices, share, later = [] }: RolloutBudget): string {
  const now = `${plural(devices, 'device')}, ${percentage(share)} of those compared`
  const [first] = later
  if (first === undefined) return now
  const more = later.reduce((sum, one) => sum + one.devices, 0)
  return `${now}; ${plural(more, 'device')} more by the dates that were accepted, the first ${first.at}`
}

const PASSES: readonly RolloutPass[] = ['audit', 'enforce']

/** Both passes with their stages: what was gone through, where it is or ended, what is to come. */
function drawRollout(rollout: Rollout): string {
  const { plan, pass, stage, state } = rollout
  const here = PASSES.indexOf(pass) * plan.stages.length + stage
  const mark = (at: number) => {
    if (state === 'done' || at < here) return '●'
    if (at > here) return '○'
    return isOpen(state) ? '▶' : '■'
  }
  return PASSES.map((name, row) => {
    const stages = plan.stages.map((one, column) => {
      return `${mark(row * plan.stages.length + column)} ${labelStage(one)}`
    })
    const end = row === 1 ? `  ${state === 'done' ? '●' : '○'} in force` : ''
    return `  ${name.padEnd(9)}${stages.join('  ')}${end}\n`
  }).join('')
}

function labelStage({ percent: hundredths, labels }: RolloutStage): string {
  return [`${hundredths}%`, ...labels].join('+')
}

function describeStand(rollout: Rollout, now: Date): string {
  const { pass, since } = rollout
  const end = earliestEnd(rollout, now)
  const done = end === undefined ? '' : `It is done at ${end.toISOString()} at the earliest.\n`
  const decides =
    pass === 'audit' ? 'the new document is tried and decides nothing' : 'the new document decides'
  return `In ${nameStage(rollout)} since ${since.toISOString()}: ${decides}.\n${describeWait(rollout, waitOf(rollout, now))}\n${done}`
}

function describeWait({ rolloutId, plan, health }: Rollout, { why, until }: Wait): string {
  const when = until === null ? '' : ` until ${until.toISOString()}`
  switch (why) {
    case 'not_running':
      return `It is paused: ${COMMAND} rollout resume ${rolloutId} --reason TEXT`
    case 'not_checked':
      return 'It waits for the first check of this stage.'
    case 'baking':
      return `It has to stay healthy here${when}.`
    case 'sample_too_small':
      return `It waits until more devices can be compared: ${health?.compared ?? 0} of at least ${health === null ? plan.minimumSample : sampleNeeded(plan, health)}.`
    case 'outside_hours':
      return `It waits for its working hours${when}.`
    case 'waits_for_promotion':
      return `It waits for you: ${COMMAND} rollout promote ${rolloutId} --reason TEXT`
    case 'next_check':
      return 'The next check takes it on.'
  }
}

function describeHealth({ health }: Rollout): string {
  if (health === null) return ''
  const { at, compared, devices, newlyDenied, from, causes, examples } = health
  const when = from === undefined ? '' : ` from ${from} on`
  const title = `At ${at} ${count(compared)} of ${plural(devices, 'device')} of the stage were compared: ${count(newlyDenied)} newly denied${when}.\n`
  if (causes.length === 0) return title
  const rows = causes.map((one) => [one.cause, String(one.devices)])
  const named = examples.length === 0 ? '' : `\nfor example ${examples.join(', ')}`
  return `${title}${renderTable(['because of', 'devices'], rows)}${named}\n`
}

function describeVerbs({ rolloutId, state }: Rollout): string {
  const go = state === 'paused' ? 'resume' : 'pause'
  return `To steer it: ${COMMAND} rollout ${go}|promote|revert ${rolloutId} --reason TEXT\n`
}
