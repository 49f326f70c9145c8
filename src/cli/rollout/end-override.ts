import { endOverride, overridesInForce } from '../../operations/release/overrides.ts'
import type { Override } from '../../rollout/override.ts'
import type { Store } from '../../store/store.ts'
import { showLosses, showOverride } from '../../views/show-control.ts'
import { EXIT, type OnDatabase } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'
import { describeFailure } from '../policy/describe-failure.ts'
import { shorten } from '../policy/find-version.ts'
import { describeLosses, NOTHING_DONE, overrideServices } from './make-override.ts'

/** Prints the exceptions that count, the newest first. */
export async function listOverrides(
  store: Store,
  { json, now }: { readonly json: boolean; readonly now: Date },
): Promise<number> {
  const overrides = await overridesInForce(store, now)
  if (json) printJson(overrides.map(showOverride))
  else printText(describe(overrides))
  return 0
}

function describe(overrides: readonly Override[]): string {
  if (overrides.length === 0) return 'There is no override.\n'
  const rows = overrides.map((one) => [
    one.overrideId,
    `${one.target.kind} ${one.target.name}`,
    one.action === 'pin' ? `pin ${one.kind} ${shorten(one.hash)}` : 'allow',
    one.expiresAt.toISOString(),
    one.author,
    one.reason,
  ])
  const head = ['override', 'for', 'what', 'until', 'author', 'reason']
  return `${renderTable(head, rows)}\n`
}

export function endByCommand(options: {
  readonly overrideId: string
  readonly reason: string
  readonly dryRun: boolean
  readonly json: boolean
  readonly now: Date
}): OnDatabase {
  const { overrideId, reason, dryRun: isDryRun, json, now } = options
  return async (store, config) => {
    const end = { overrideId, by: COMMAND_LINE, reason, now, isDryRun }
    const ended = await endOverride(overrideServices(store, config, now), end)
    if (!ended.ok) throw new Error(`${overrideId}: ${describeFailure(ended.failure)}`)
    const { changed, losses } = ended.value
    if (json) printJson({ override_id: overrideId, changed, newly_denied: showLosses(losses) })
    else if (!changed && !isDryRun) {
      printText(`${overrideId} has ended already: nothing was changed.\n`)
    } else {
      const done = isDryRun ? NOTHING_DONE : `${overrideId} has ended.\n`
      printText(`${done}${describeLosses(losses, isDryRun)}`)
    }
    return EXIT.done
  }
}
