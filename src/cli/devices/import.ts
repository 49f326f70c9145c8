import { createSecretKey } from 'node:crypto'
import { ringOf } from '../../access/device-id.ts'
import type { Config } from '../../config/config.ts'
import { loadStoredSecret } from '../../keys/stored-secret.ts'
import { type ImportSummary, importDevices } from '../../operations/devices/import-devices.ts'
import {
  type ImportFailure,
  type ImportKeys,
  readImport,
} from '../../operations/devices/read-import.ts'
import type { ImportRefusal, RowToImport } from '../../store/devices/device-changes.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { count } from '../framework/numbers.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress, renderBar } from '../framework/progress.ts'
import { listenForStop } from '../framework/signals.ts'
import { readSecrets } from '../keys/key-making.ts'

const REFUSED_SHOWN = 20

/** Sets what a CSV file says of devices, once all of the file has been checked. */
export async function importFile(
  store: Store,
  config: Config,
  asked: { readonly path: string; readonly text: string; readonly json: boolean },
): Promise<number> {
  const { path, text, json } = asked
  const read = readImport(text, await importKeys(store, config, text))
  if (!read.ok) throw new Error(`${path}: ${describeFailure(read.failure)}`)
  const summary = await write(store, read.value)
  if (json) printJson(summary)
  else printText(describeSummary(summary, path))
  return summary.refused.length > 0 ? EXIT.refused : EXIT.done
}

/** The secret by which devices fall into rings is asked for only where some may be put on the list. */
async function importKeys(store: Store, config: Config, text: string): Promise<ImportKeys> {
  const [head = ''] = text.split('\n', 1)
  const { deviceKey } = config
  if (!/device_key|ek_public_hash/i.test(head)) return { deviceKey, ringOf: () => 0 }
  const secrets = await readSecrets(config)
  const secret = createSecretKey(
    await loadStoredSecret('rollout ring', { store, secrets, now: new Date() }),
  )
  return { deviceKey, ringOf: (identity) => ringOf(identity, secret) }
}

async function write(store: Store, rows: readonly RowToImport[]): Promise<ImportSummary> {
  const progress = createProgress(process.stderr, () => new Date())
  try {
    return await importDevices(store, {
      ...{ rows, by: COMMAND_LINE, clock: () => new Date(), signal: listenForStop() },
      onProgress: (done) =>
        progress.show(
          `${renderBar(done, rows.length)}  ${count(done)} of ${count(rows.length)} rows`,
        ),
    })
  } finally {
    progress.end()
  }
}

function describeFailure(failure: ImportFailure): string {
  if (failure.reason === 'csv_malformed') {
    return `line ${failure.line}: ${failure.message}. Nothing was changed.`
  }
  const { problems, count: all } = failure
  const lines = problems.map(({ line, message }) => `  line ${line}: ${message}`)
  const more = all > problems.length ? [`  and ${count(all - problems.length)} more`] : []
  return ['nothing was changed, because the file has mistakes:', ...lines, ...more].join('\n')
}

const REFUSED: Readonly<Record<ImportRefusal, string>> = {
  unknown: 'no device is known by this name',
  ambiguous: 'several devices have this name: name it by its device_id',
  repeated: 'is the device of another row',
}

function describeSummary(summary: ImportSummary, path: string): string {
  const { enrolled, applied, unchanged, left, refused } = summary
  const head = `${count(applied)} changed, ${count(enrolled)} put on the list, ${count(unchanged)} were so already.\n`
  if (refused.length === 0) return head
  const shown = refused.slice(0, REFUSED_SHOWN)
  const lines = shown.map(({ line, refusal }) => `  line ${line}: ${REFUSED[refusal]}\n`)
  const more =
    refused.length > shown.length ? `  and ${count(refused.length - shown.length)} more\n` : ''
  return `${head}
${count(left)} rows were left as they were, as their batches have rows that cannot be done:
${lines.join('')}${more}
Mend these in ${path} and import it again: what is done already stays as it is.\n`
}
