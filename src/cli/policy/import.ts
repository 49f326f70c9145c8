import { COMMAND } from '../../base/command.ts'
import { bodyOf, type CheckedDocument } from '../../operations/release/check-document.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { describeFindings } from './describe-findings.ts'
import { kindOption } from './document-kinds.ts'
import { shorten } from './find-version.ts'
import type { DocumentFile } from './folder.ts'
import type { Candidate } from './read-document.ts'

type Imported = {
  readonly kind: DocumentKind
  readonly file: string
  readonly hash: string
  readonly changed: boolean
}

/**
 * Keeps documents as versions and brings none into force. Each must be one that could be, or none is
 * kept: a folder is taken whole or not at all. What lint has against them is asked at the activation,
 * as old versions may be what nobody would activate today. `refused` when nothing was kept.
 */
export async function importDocuments(
  store: Store,
  files: readonly {
    readonly file: DocumentFile
    readonly candidate: Candidate
  }[],
  options: { readonly reason: string | undefined; readonly json: boolean; readonly now: Date },
): Promise<number> {
  const { json, now } = options
  const documents: { readonly checked: CheckedDocument; readonly label: string }[] = []
  const mistakes: string[] = []
  for (const { file, candidate } of files) {
    const { checked, label } = candidate
    if (checked === undefined) mistakes.push(describeFindings(candidate))
    else if (file.hash !== undefined && file.hash !== checked.compiled.hash) {
      mistakes.push(
        `${label}: holds ${checked.compiled.hash}, and not what it is named by: rename it\n`,
      )
    } else documents.push({ checked, label })
  }
  if (mistakes.length > 0) {
    if (json) printJson({ imported: [], mistakes: mistakes.join('').trimEnd().split('\n') })
    else printText(`${mistakes.join('')}\nNothing was imported: correct this, then try again.\n`)
    return EXIT.refused
  }
  const imported: Imported[] = []
  for (const document of documents) {
    const { checked, label } = document
    const { kind, compiled } = checked
    const { hash } = compiled
    const reason = options.reason ?? `import ${label}`
    const input = { kind, hash, body: bodyOf(checked), author: COMMAND_LINE, reason, now }
    const answer = await store.proposeDocument(input)
    imported.push({ kind, file: label, hash, changed: answer === 'applied' })
  }
  if (json) printJson({ imported, mistakes: [] })
  else printText(describe(imported))
  return 0
}

function describe(imported: readonly Imported[]): string {
  const lines = imported.map(({ kind, file, hash, changed }) => {
    return `${file}  ${kind} ${hash}${changed ? '' : '  (there already)'}\n`
  })
  const commands = imported.map(({ kind, hash }) => {
    return `  ${COMMAND} policy preview ${shorten(hash)}${kindOption(kind)}\n`
  })
  return `${lines.join('')}
Nothing is in force that was not before. What one of them would change:
${[...new Set(commands)].slice(0, MOST_SHOWN).join('')}`
}

/** After many versions nobody wants as many commands. */
const MOST_SHOWN = 3
