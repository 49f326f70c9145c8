import { formatPart } from '../../audit/export-lines.ts'
import { COMMAND } from '../../base/command.ts'
import { exportAuditLog } from '../../operations/audit/export-log.ts'
import type { Store } from '../../store/store.ts'
import { EXIT, verb } from '../framework/command.ts'
import { count } from '../framework/numbers.ts'
import { writeOut } from '../framework/output.ts'
import { createProgress } from '../framework/progress.ts'
import { listenForStop } from '../framework/signals.ts'

export const exportLog = verb({
  summary: 'write the whole log, with all that proves it, to standard output',
  about: `Lines of JSON: first a checkpoint and the keys that sign them, then the leaves of the tree, 256 at
a time and each time the entries that they are the hashes of, then entries that wait for theirs.
${COMMAND} audit verify FILE checks it, on any machine.`,
  database: 'existing',
  json: { none: 'it writes lines of JSON anyway' },
  exits: { interrupted: 'it was stopped' },
  stopped: 'The export is not whole.',
  run: () => (store) => writeLog(store),
})

export const NO_CHECKPOINT =
  'the audit log has no checkpoint yet: a running service signs the first one within seconds of the first entry'

const LINES_AT_ONCE = 500

async function writeLog(store: Store): Promise<number> {
  const log = await exportAuditLog({ store, clock: () => new Date() })
  if (log === undefined) throw new Error(NO_CHECKPOINT)
  const signal = listenForStop()
  const progress = createProgress(process.stderr, () => new Date())
  let lines: string[] = []
  let written = 0
  const flush = async () => {
    signal.throwIfAborted()
    await writeOut(lines.join(''))
    lines = []
    if (!process.stdout.isTTY) {
      progress.show(`${count(written)} of ${count(log.size)} entries written`)
    }
  }
  try {
    for await (const part of log.parts()) {
      lines.push(`${formatPart(part)}\n`)
      if (part.kind === 'entry') written += 1
      if (lines.length >= LINES_AT_ONCE) await flush()
    }
    await flush()
    return EXIT.done
  } finally {
    progress.end()
  }
}
