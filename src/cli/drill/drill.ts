import type { Config } from '../../config/config.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'
import { drillOutage } from '../../operations/release/outage-drill.ts'
import type { DrillSummary } from '../../replay/outage/summary.ts'
import type { Store } from '../../store/store.ts'
import { type Command, readArguments, UsageError } from '../framework/arguments.ts'
import { withDatabase } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress, renderBar } from '../framework/progress.ts'
import { DATA_OPTION, readSettings } from '../framework/settings.ts'
import { INTERRUPTED, listenForStop } from '../framework/signals.ts'
import { describeDrill } from './describe-drill.ts'
import { PRESET, readOutage } from './read-outage.ts'
import { count } from './words.ts'

const OPTIONS = {
  verifier: { type: 'string' },
  from: { type: 'string' },
  for: { type: 'string' },
  grace: { type: 'string' },
  step: { type: 'string' },
  json: { type: 'boolean', default: false },
  ...DATA_OPTION,
} as const

export const command: Command = {
  options: OPTIONS,
  help: `Usage: countersign drill outage [--verifier URL] [--from WHEN] [--for TIME] [--grace TIME]
                                [--step TIME] [--json] [--data DIR]

Rehearses an outage on the recorded fleet: from then on nobody can attest, and the evidence of one
device after the other comes to its end. Says who would be denied and when, without the outage
grace and with it. It changes nothing; a service may run on the same data.

  --verifier URL  the verifier that is out, as tokens name it, or built-in; otherwise all of them
  --from WHEN     when it begins: +2h, or a time such as 2026-05-04T10:00Z; otherwise now
  --for TIME      how long it takes: 90m, ${PRESET.for} (the default), 3d
  --grace TIME    how long evidence counts past its end; otherwise OUTAGE_GRACE_SECONDS
  --step TIME     how finely to look (${PRESET.step}): half and all are told by the step, and what a
                  clause or a reference value does by the clock is found at the next step
  --data DIR      the data directory of the embedded database (DATA_DIR; ./data); works while the
                  service runs on it. DATABASE_URL uses PostgreSQL.
  --json          print JSON

Exit status: 0 done, 1 wrong usage, 3 somebody would be denied although there is the grace.
`,
  async run(args) {
    const now = new Date()
    const { values, positionals } = readArguments(args, OPTIONS, 1)
    if (positionals[0] !== 'outage') throw new UsageError('say outage')
    const outageOf = readOutage(values, now)
    const config = await readSettings(values)
    const perform = async (store: Store) => {
      const summary = await rehearse(store, { config, outage: outageOf(config), now })
      if (values.json) printJson(summary)
      else printText(describeDrill(summary, config))
      return summary.with_grace.devices > 0 ? 3 : 0
    }
    try {
      return await withDatabase(config, { mayCreate: false }, perform)
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'AbortError') throw error
      process.stderr.write('Stopped before the end of the fleet.\n')
      return INTERRUPTED
    }
  },
}

/** Progress goes to standard error. */
async function rehearse(
  store: Store,
  input: {
    readonly config: Config
    readonly outage: Parameters<typeof drillOutage>[0]['outage']
    readonly now: Date
  },
): Promise<DrillSummary> {
  const { config, outage, now } = input
  const progress = createProgress(process.stderr, () => new Date())
  try {
    return await drillOutage({
      store,
      now,
      outage,
      outageGraceMs: config.outageGraceSeconds * 1000,
      requiresHardware: requiresHardware(config),
      signal: listenForStop(),
      onProgress: ({ devices, total }) => {
        progress.show(`${renderBar(devices, total)}  ${count(devices)} of ${count(total)} devices`)
      },
    })
  } finally {
    progress.end()
  }
}
