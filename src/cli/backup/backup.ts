import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { COMMAND } from '../../base/command.ts'
import { plural } from '../../base/words.ts'
import { backUp, type MadeBackup, type TellBackup } from '../../operations/backup/back-up.ts'
import { EXIT, verb } from '../framework/command.ts'
import { flag, required, text } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress, renderBar } from '../framework/progress.ts'
import { readSettings } from '../framework/settings.ts'
import { describeBackupFailure } from './describe-backup.ts'

export const command = verb({
  about: `The service may run meanwhile. The file holds everything: devices, history, policies, audit log, API
clients, signing keys, and the secret that these are sealed with, unless SECRET_KEY holds that.
Whoever has it can be your service: it is readable by you alone, and should stay so.

It is restored into a folder of its own before it counts: 'done' means that it can be restored.
PostgreSQL (DATABASE_URL) is backed up by its own means: see docs/backup.md.`,
  arguments: {
    target: required(
      text('FILE_OR_FOLDER', 'the file to write; in a folder it is named after the time'),
    ),
  },
  options: {
    data: text('DIR', 'the data directory of the service (DATA_DIR; ./data)'),
    withoutSecret: flag('leave secret.key out: restoring then needs yours'),
  },
  json: 'the file, its bytes, whether it has the secret, and the number of rows by table',
  exits: { refused: 'what was written could not be restored, and was removed' },
  async run({ target, withoutSecret, json, data }) {
    const config = await readSettings({ data })
    const { database } = config
    if (database.kind === 'postgres') {
      throw new Error(
        'DATABASE_URL names a PostgreSQL server, which is backed up by its own means: docs/backup.md',
      )
    }
    const { dataDir } = database
    const clock = () => new Date()
    const file = placeOf(target, clock())
    if (existsSync(file)) throw new Error(`${file} is there already: name another file`)
    const progress = createProgress(process.stderr, clock)
    const made = await backUp({
      ...{ dataDir, file, withSecret: !withoutSecret, clock },
      tell: (...told) => progress.show(describePhase(...told)),
    }).finally(progress.end)
    if (!made.ok) {
      process.stderr.write(`Removed again: ${describeBackupFailure(made.failure)}.\n`)
      return EXIT.refused
    }
    report(file, made.value, json)
    return EXIT.done
  },
})

function placeOf(target: string, now: Date): string {
  const path = resolve(target)
  const isFolder = existsSync(path) && statSync(path).isDirectory()
  const time = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')
  return isFolder ? join(path, `countersign-${time}Z.tar.gz`) : path
}

function describePhase(...[phase, done, total]: Parameters<TellBackup>): string {
  return phase === 'copying' ? `copying    ${renderBar(done, total)}` : 'restoring it to verify it…'
}

function report(file: string, { description, isLive, bytes }: MadeBackup, json: boolean): void {
  const { has_secret, tables } = description
  if (json) {
    const rows = Object.entries(tables).map(([name, table]) => [name, Number(table.rows)])
    printJson({ file, bytes, is_live: isLive, has_secret, rows: Object.fromEntries(rows) })
    return
  }
  const rows = (name: string) => Number(tables[`public.${name}`]?.rows ?? 0)
  const counts = `${plural(rows('device'), 'device')}, ${plural(rows('client'), 'client')}`
  const secret = has_secret
    ? 'The secret of the service is in it: whoever has the file can be your service.'
    : 'The secret of the service (SECRET_KEY or secret.key) is not in it, and restoring needs it.'
  printText(`Wrote ${file}: ${(bytes / 1e6).toFixed(1)} MB${isLive ? ', while the service ran' : ''}.
Restored and compared: ${counts}, every table the same.
${secret}
To restore: ${COMMAND} restore ${file} --data NEW_DIR
`)
}
