import type { Config } from '../../config/config.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'
import { drillOutage } from '../../operations/release/outage-drill.ts'
import type { DrillSummary } from '../../replay/outage/summary.ts'
import type { Store } from '../../store/store.ts'
import { EXIT, group, verb } from '../framework/command.ts'
import { count } from '../framework/numbers.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress, renderBar } from '../framework/progress.ts'
import { listenForStop } from '../framework/signals.ts'
import { describeDrill } from './describe-drill.ts'
import { OUTAGE_OPTIONS, readOutage } from './read-outage.ts'

const outage = verb({
  summary: 'rehearse an outage on the recorded fleet',
  about: `From then on nobody can attest, and the evidence of one device after the other comes to its end.
Says who would be denied and when, without the outage grace and with it. It changes nothing.`,
  database: 'existing',
  options: OUTAGE_OPTIONS,
  json: 'the summary of the drill',
  exits: {
    refused: 'somebody would be denied although there is the grace',
    interrupted: 'stopped before the end of the fleet',
  },
  run({ json, ...options }) {
    const now = new Date()
    const outageOf = readOutage(options, now)
    return async (store, config) => {
      const summary = await rehearse(store, { config, outage: outageOf(config), now })
      if (json) printJson(summary)
      else printText(describeDrill(summary, config))
      return summary.with_grace.devices > 0 ? EXIT.refused : EXIT.done
    }
  },
})

export const command = group({
  about: 'What is rehearsed here changes nothing; a service may run on the same data.',
  verbs: { outage },
})

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
