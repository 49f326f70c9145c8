import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { COMMAND } from '../../base/command.ts'
import { plural } from '../../base/words.ts'
import type { BackupDescription } from '../../operations/backup/description.ts'
import { restoreBackup } from '../../operations/backup/restore.ts'
import { describeBackupFailure } from '../backup/describe-backup.ts'
import { EXIT, verb } from '../framework/command.ts'
import { required, text } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress } from '../framework/progress.ts'
import { readSettings } from '../framework/settings.ts'

export const command = verb({
  about: `It replaces nothing: the data directory must have no database yet. Every file of the backup is
compared with its SHA-256, and every table of the restored database with what was backed up, before
it is in its place.`,
  arguments: { file: required(text('FILE', 'what backup wrote')) },
  options: { data: text('DIR', 'the data directory to make (DATA_DIR; ./data)') },
  json: 'the data directory, when and by which version the backup was made, whether it had the secret',
  exits: { refused: 'the file is no whole backup; nothing was put anywhere' },
  async run({ file, json, data }) {
    const config = await readSettings({ data })
    if (config.database.kind === 'postgres') {
      throw new Error(
        'DATABASE_URL names a PostgreSQL server: docs/backup.md says how to restore one',
      )
    }
    const { dataDir } = config.database
    if (!existsSync(file)) throw new Error(`there is no file ${file}: name what backup wrote`)
    const progress = createProgress(process.stderr, () => new Date())
    progress.show('restoring and verifying…')
    const restored = await restoreBackup({ file: resolve(file), dataDir }).finally(progress.end)
    if (!restored.ok) {
      process.stderr.write(`Not restored: ${describeBackupFailure(restored.failure)}.\n`)
      return EXIT.refused
    }
    report(dataDir, restored.value, json)
    return EXIT.done
  },
})

function report(dataDir: string, description: BackupDescription, json: boolean): void {
  const { made_at, version, has_secret, tables } = description
  if (json) {
    printJson({ data: resolve(dataDir), made_at, version, has_secret })
    return
  }
  const devices = plural(Number(tables['public.device']?.rows ?? 0), 'device')
  const secret = has_secret ? '' : ' with the SECRET_KEY (or secret.key) that the service had'
  printText(`Restored ${devices} as of ${made_at} into ${resolve(dataDir)}.
Nonces that were spent since then are unknown to it: wait for CHALLENGE_TTL_SECONDS (five minutes)
after the old service has stopped, and then start this one${secret}:
  ${COMMAND} serve --data ${dataDir}
`)
}
