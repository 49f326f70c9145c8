import { COMMAND } from '../../base/command.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import { isOpen, type Rollout } from '../../rollout/rollout.ts'
import type { Store } from '../../store/store.ts'
import { showRollout } from '../../views/show-control.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'
import { shorten } from '../policy/find-version.ts'

/** As far back as one kind is looked for among both. */
const MOST_LOOKED_THROUGH = 10_000

/** Prints rollouts, the newest first. */
export async function listRollouts(
  store: Store,
  options: {
    readonly kind: DocumentKind | undefined
    readonly limit: number
    readonly json: boolean
    readonly now: Date
  },
): Promise<number> {
  const { kind, limit, json, now } = options
  const all = await store.listRollouts(kind === undefined ? limit : MOST_LOOKED_THROUGH)
  const rollouts = all.filter((one) => kind === undefined || one.kind === kind).slice(0, limit)
  if (json) printJson(rollouts.map((one) => showRollout(one, now)))
  else printText(describe(rollouts))
  return 0
}

function describe(rollouts: readonly Rollout[]): string {
  if (rollouts.length === 0) {
    return `There was no rollout yet. To begin one: ${COMMAND} rollout start FILE --reason TEXT\n`
  }
  const rows = rollouts.map((rollout) => [
    rollout.rolloutId,
    rollout.kind,
    rollout.state,
    isOpen(rollout.state) ? describePlace(rollout) : '',
    shorten(rollout.to),
    rollout.createdAt.toISOString(),
    rollout.reason,
  ])
  const head = ['rollout', 'kind', 'state', 'at', 'to', 'begun', 'reason']
  return `${renderTable(head, rows)}\n\nOne of them: ${COMMAND} rollout show ID\n`
}

/** `audit 2/5` */
export function describePlace({ pass, stage, plan }: Rollout): string {
  return `${pass} ${stage + 1}/${plan.stages.length}`
}
