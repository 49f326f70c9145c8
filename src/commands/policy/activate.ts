import type { DocumentKind } from '../../store/schema.ts'
import type { Store } from '../../store/store.ts'
import { printJson, printText } from '../output.ts'
import { describeFindings } from './describe-findings.ts'
import { formatDocument, kindOption } from './document-kinds.ts'
import { findVersion, shorten } from './find-version.ts'
import { describeRefusal, type Release, release } from './gate.ts'
import { demandChecked, hasErrors, lintCandidate } from './read-document.ts'

export type ActivateOptions = Omit<Release, 'kind' | 'checked'> & {
  readonly kind: DocumentKind
  readonly hash: string
}

/** Brings a version into force again, or for the first time, through the same gates as apply. */
export async function activateVersion(store: Store, options: ActivateOptions): Promise<number> {
  const { kind, json, clock } = options
  const version = await findVersion(store, kind, options.hash)
  const { hash } = version
  const text = formatDocument(kind, version.body)
  const candidate = lintCandidate({ kind, label: shorten(hash), text, now: clock() })
  if (hasErrors(candidate)) {
    if (json) printJson({ kind, hash, outcome: 'refused', findings: candidate.findings })
    else {
      printText(describeFindings(candidate))
      printText(
        `Not in force: correct a copy (countersign policy export --all) and apply that one.\n`,
      )
    }
    return 2
  }
  const checked = demandChecked(candidate)
  if (checked.hash !== hash) {
    throw new Error(`${hash} was kept as ${checked.hash}: apply the file that it came from instead`)
  }
  const { outcome, newlyDenied } = await release(store, { ...options, checked })
  const isRefused = outcome === 'denials_not_accepted'
  if (json) printJson({ kind, hash, outcome, newly_denied: newlyDenied })
  else if (isRefused) {
    printText(describeRefusal(newlyDenied, `${shorten(hash)}${kindOption(kind)}`))
  } else {
    printText(
      outcome === 'unchanged'
        ? `${hash} is in force already: nothing was changed.\n`
        : `${hash} is in force. Running services decide by it from their next request on.\n`,
    )
  }
  return isRefused ? 3 : 0
}
