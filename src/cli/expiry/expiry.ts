import type { Config } from '../../config/config.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'
import type { Expiry } from '../../operations/expiry/expiry.ts'
import { forecastFleet } from '../../operations/expiry/forecast-fleet.ts'
import { listExpiries } from '../../operations/expiry/list-expiries.ts'
import { createRulesReader } from '../../operations/release/rules-in-force.ts'
import type { Store } from '../../store/store.ts'
import type { FleetForecast } from '../../store/system/fleet-summary.ts'
import { showExpiry, showForecast } from '../../views/show-expiry.ts'
import { EXIT, verb } from '../framework/command.ts'
import { count } from '../framework/numbers.ts'
import { duration, flag } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress, renderBar } from '../framework/progress.ts'
import { listenForStop } from '../framework/signals.ts'
import { describeExpiries, describeForecast } from './describe-expiry.ts'

export const command = verb({
  about: `Roots and other certificates, entries of the reference values, pins of Azure's policies, signing
keys, secrets of clients, break-glass keys, allowances, pins and holds. Of settings it knows those
that it was started with: give it the environment of the service.

Which devices would fail within 7, 30 and 90 days the service foresees once a day, by replaying the
recorded fleet; --replay does so now, and keeps what it found.`,
  database: 'existing',
  options: {
    within: duration('TIME', 'only what ends within so long, or has ended: 90d'),
    replay: flag('go through the whole fleet now to see which devices would fail'),
  },
  json: 'what ends, the earliest first, and the forecast, as the administration API shows them',
  exits: {
    differs: 'with --within: something that nobody renews by itself ends within that time',
    interrupted: 'stopped before the end of the fleet',
  },
  run({ within, replay, json }) {
    const now = new Date()
    const until = within === undefined ? undefined : new Date(now.getTime() + within)
    return (store, config) => show(store, { config, now, until, replay, json })
  },
})

async function show(
  store: Store,
  asked: {
    readonly config: Config
    readonly now: Date
    /** Of `--within`. */
    readonly until: Date | undefined
    readonly replay: boolean
    readonly json: boolean
  },
): Promise<number> {
  const { config, now, until, replay, json } = asked
  const clock = () => now
  const outageGraceMs = config.outageGraceSeconds * 1000
  const options = { clock, outageGraceMs, requiresHardware: requiresHardware(config) }
  const rules = createRulesReader(store, options)
  const working = { store, rules, config, clock }
  const all = await listExpiries(working)
  const expiries = until === undefined ? all : all.filter(({ at }) => at <= until)
  const forecast = replay ? await foresee(working) : await store.fleetForecast()
  if (json) {
    const shown = expiries.map((one) => showExpiry(one, now))
    printJson({ at: now, expiries: shown, forecast: showForecast(forecast) })
  } else printText(`${describeExpiries(expiries, { now, until })}\n${describeForecast(forecast)}`)
  return until !== undefined && expiries.some(isForPeople) ? EXIT.differs : EXIT.done
}

function isForPeople({ renewal }: Expiry): boolean {
  return renewal === 'manual'
}

/** Progress goes to standard error. */
async function foresee(working: Parameters<typeof forecastFleet>[0]): Promise<FleetForecast> {
  const progress = createProgress(process.stderr, () => new Date())
  try {
    return await forecastFleet(working, {
      signal: listenForStop(),
      onProgress: ({ devices, total }) => {
        progress.show(`${renderBar(devices, total)}  ${count(devices)} of ${count(total)} devices`)
      },
    })
  } finally {
    progress.end()
  }
}
