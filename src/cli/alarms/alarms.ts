import { ALARM_NAMES, ALARMS, type AlarmName } from '../../alerts/alarms.ts'
import { COMMAND } from '../../base/command.ts'
import type { Store } from '../../store/store.ts'
import { showAlarm } from '../../views/show-alarm.ts'
import { EXIT, group, verb } from '../framework/command.ts'
import { option } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'
import { readName } from './read-names.ts'
import { webhooks } from './webhooks.ts'

export const command = group({
  about: `What is wrong now, and who is told. Alarms go to destinations as webhooks by Standard Webhooks:
${COMMAND} alarms webhooks --help, and docs/monitoring.md.`,
  verbs: {
    list: verb({
      summary: 'list what is wrong now, the oldest first',
      database: 'existing',
      json: 'the alarms that stand, as the administration API shows them',
      exits: { differs: 'there are some' },
      run: (values) => (store) => list(store, values),
    }),
    explain: verb({
      summary: 'say what an alarm means and what to do; without a name, of all of them',
      arguments: { name: option('NAME', 'the alarm: rollout_halted', readName) },
      json: 'names, severities, meanings and remedies',
      run: ({ name, json }) => explain(name === undefined ? ALARM_NAMES : [name], json),
    }),
    webhooks,
  },
})

async function list(store: Store, { json }: { readonly json: boolean }): Promise<number> {
  const alarms = await store.standingAlarms()
  if (json) printJson(alarms.map(showAlarm))
  else if (alarms.length === 0) printText('Nothing is wrong that there is an alarm for.\n')
  else {
    const rows = alarms.map(({ name, subject, level, since }) => [
      ...[ALARMS[name].severity, name, level, since.toISOString(), subject],
    ])
    const names = [...new Set(alarms.map(({ name }) => name))]
    printText(`${renderTable(['severity', 'alarm', 'level', 'since', 'about'], rows)}\n\n`)
    printText(`${names.map(describe).join('\n')}\n`)
  }
  return alarms.length > 0 ? EXIT.differs : EXIT.done
}

function explain(names: readonly AlarmName[], json: boolean): number {
  if (json) printJson(names.map((alarm) => ({ alarm, ...ALARMS[alarm] })))
  else printText(`${names.map(describe).join('\n')}\n`)
  return EXIT.done
}

function describe(name: AlarmName): string {
  const { severity, summary, remedy } = ALARMS[name]
  return `${name} (${severity})\n  ${summary}\n  ${remedy}`
}
