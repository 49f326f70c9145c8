import { type ExportPart, parsePart } from '../../audit/export-lines.ts'
import { formatNoteKey, type NoteKey, parseNoteKey } from '../../audit/note.ts'
import {
  type LogCheck,
  type LogFailure,
  type VerifiedLog,
  verifyLog,
} from '../../audit/verify-log.ts'
import { COMMAND } from '../../base/command.ts'
import { ok, type Result } from '../../base/result.ts'
import { exportAuditLog } from '../../operations/audit/export-log.ts'
import type { Store } from '../../store/store.ts'
import { verb } from '../framework/command.ts'
import { fields } from '../framework/fields.ts'
import { FINDING_EXITS, type Finding, report, verdictOf } from '../framework/finding.ts'
import { count } from '../framework/numbers.ts'
import { option, repeated, text } from '../framework/options.ts'
import { createProgress } from '../framework/progress.ts'
import { readTextFile } from '../framework/read-file.ts'
import { readLines } from '../framework/read-lines.ts'
import { UsageError } from '../framework/usage-error.ts'
import { NO_CHECKPOINT } from './export.ts'

export const verify = verb({
  summary:
    'prove that nobody has changed the log: that of an export, offline, or that of the database',
  about: `Checks that a key of the log signed its checkpoint, that all leaves come to the root which that
says, that each entry is as it was when its leaf was made, and that the log continues each earlier
checkpoint. Says the first entry that differs, and whether it was changed, removed, inserted or
moved, or that the log has two histories. Without FILE it checks the database itself.

Keep the keys and a checkpoint of before where nobody who could change the database can change them:
without --key the keys are believed that the export names.`,
  database: 'existing',
  arguments: { file: text('FILE', `what ${COMMAND} audit export wrote`) },
  options: {
    key: repeated(noteKey('VKEY', 'a key of the log')),
    checkpoint: repeated(text('FILE', 'a checkpoint of before that the log has to continue')),
    witness: repeated(
      noteKey('VKEY', 'the key of a witness that must have cosigned the checkpoint'),
    ),
  },
  json: 'verified, reason, where, remarks and log',
  exits: FINDING_EXITS,
  run({ file, key, checkpoint, witness, json }) {
    const check = {
      keys: key.length === 0 ? undefined : key,
      earlier: checkpoint.map(readTextFile),
      witnesses: witness,
    }
    const asked = { check, json }
    return file === undefined ? (store) => verifyDatabase(store, asked) : verifyFile(file, asked)
  },
})

type Asked = { readonly check: LogCheck; readonly json: boolean }

/** `NAME+ID+KEY`, as C2SP signed-note has it. */
function noteKey(placeholder: string, help: string) {
  return option<NoteKey>(placeholder, help, (given, label) => {
    const key = parseNoteKey(given)
    if (key.ok) return key.value
    throw new UsageError(`${label} must be like NAME+1234abcd+AS…, as GET /v1/audit/log lists keys`)
  })
}

async function verifyFile(file: string, asked: Asked): Promise<number> {
  async function* parts() {
    let line = 0
    for await (const text of readLines(file)) {
      line += 1
      yield parsePart(text, line)
    }
  }
  return tell(await verifyLog(whileShown(parts()), asked.check), asked, [])
}

async function verifyDatabase(store: Store, asked: Asked): Promise<number> {
  const log = await exportAuditLog({ store, clock: () => new Date() })
  if (log === undefined) throw new Error(NO_CHECKPOINT)
  async function* parts(all: AsyncIterable<ExportPart>) {
    for await (const part of all) yield ok(part)
  }
  const verified = await verifyLog(whileShown(parts(log.parts())), asked.check)
  const remarks = (await store.mayChangeAudit())
    ? [
        'the role that this command signed in as could change the log (docs/audit.md: the two roles)',
      ]
    : []
  return tell(verified, asked, remarks)
}

async function* whileShown<T>(parts: AsyncIterable<T>): AsyncGenerator<T> {
  const progress = createProgress(process.stderr, () => new Date())
  let done = 0
  try {
    for await (const part of parts) {
      done += 1
      if (done % 1000 === 0) progress.show(`${count(done)} lines checked`)
      yield part
    }
  } finally {
    progress.end()
  }
}

function tell(
  verified: Result<VerifiedLog, LogFailure>,
  { check, json }: Asked,
  remarks: readonly string[],
): number {
  if (!verified.ok) return report({ ...verdictOf(verified), remarks }, { json, text: '' })
  const log = verified.value
  const finding: Finding = {
    ...verdictOf(verified),
    remarks: [...remarksOn(log, check), ...remarks],
    log: showLog(log),
  }
  return report(finding, { json, text: fields(showLog(log)) })
}

function showLog({ signatures, isPinned, ...log }: VerifiedLog) {
  return {
    ...log,
    signed_by: signatures.map(({ key, time }) =>
      time === undefined
        ? formatNoteKey(key)
        : `${formatNoteKey(key)} at ${new Date(time * 1000).toISOString()}`,
    ),
  }
}

function remarksOn(log: VerifiedLog, check: LogCheck): readonly string[] {
  const remarks: string[] = []
  if (!log.isPinned) remarks.push('the keys were believed as the log names them (--key)')
  if (check.earlier?.length === 0) {
    remarks.push('whether this continues the log of before was not asked (--checkpoint)')
  }
  if (log.waiting > 0) {
    remarks.push(
      `of ${count(log.waiting)} entries nothing is proven: they wait for the next checkpoint`,
    )
  }
  if (log.expired > 0) {
    remarks.push(`${count(log.expired)} entries are past their retention, as the log itself says`)
  }
  if (log.late > 0) {
    remarks.push(`${count(log.late)} entries say a time of an hour or more before they were logged`)
  }
  return remarks
}
