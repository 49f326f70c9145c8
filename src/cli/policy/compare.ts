import { diffLines } from '../../base/line-diff.ts'
import { checkDocument } from '../../operations/release/check-document.ts'
import { describeChange, findChanges } from '../../operations/release/document-changes.ts'
import { formatDocument } from '../../operations/release/format-document.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { printJson, printText } from '../framework/output.ts'
import { findVersion, isVersion, shorten } from './find-version.ts'
import { readInForce } from './in-force.ts'
import { demandChecked, readCandidate } from './read-document.ts'

type Side = { readonly label: string; readonly hash: string; readonly text: string }

/**
 * Prints by what two documents differ: what is in force, versions or files. `differs` if they do. How a file
 * is written is no difference: both are compared in the form in which they are exported.
 */
export async function compareDocuments(
  store: Store,
  options: {
    readonly kind: DocumentKind
    /** Absent: what is in force. */
    readonly before: string | undefined
    readonly after: string
    readonly json: boolean
    readonly now: Date
  },
): Promise<number> {
  const { kind, json, now } = options
  const before = await readSide(store, { kind, name: options.before, now })
  const after = await readSide(store, { kind, name: options.after, now })
  const isSame = before.hash === after.hash
  const changes = findChanges(kind, JSON.parse(before.text), JSON.parse(after.text))
  const diff = diffLines(before.text, after.text)
  if (json) {
    printJson({ kind, same: isSame, before: before.hash, after: after.hash, changes, diff })
  } else if (isSame) printText(`${before.label} and ${after.label} are the same: ${after.hash}\n`)
  else {
    printText(
      `--- ${before.label} ${shorten(before.hash)}\n+++ ${after.label} ${shorten(after.hash)}\n`,
    )
    printText(`${changes.map(describeChange).join('\n')}\n\n${diff.join('\n')}\n`)
  }
  return isSame ? EXIT.done : EXIT.differs
}

async function readSide(
  store: Store,
  source: { readonly kind: DocumentKind; readonly name: string | undefined; readonly now: Date },
): Promise<Side> {
  const { kind, name, now } = source
  if (name !== undefined && !isVersion(name)) {
    const candidate = readCandidate(kind, name, { now })
    const { hash, document } = demandChecked(candidate).compiled
    return { label: candidate.label, hash, text: formatDocument(kind, document) }
  }
  const stored =
    name === undefined ? await readInForce(store, kind) : await findVersion(store, kind, name)
  const checked = checkDocument(kind, stored.body)
  const label = name === undefined ? 'in force' : 'version'
  return {
    label,
    hash: checked.ok ? checked.value.compiled.hash : stored.hash,
    text: formatDocument(kind, stored.body),
  }
}
