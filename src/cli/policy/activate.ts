import { COMMAND } from '../../base/command.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { printJson, printText } from '../framework/output.ts'
import { describeFindings } from './describe-findings.ts'
import { formatDocument, kindOption } from './document-kinds.ts'
import { findVersion, shorten } from './find-version.ts'
import { describeRefusal, describeRollout, type Release, type Released, release } from './gate.ts'
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
        `Not in force: correct a copy (${COMMAND} policy export --all) and apply that one.\n`,
      )
    }
    return EXIT.refused
  }
  const checked = demandChecked(candidate)
  if (checked.hash !== hash) {
    throw new Error(`${hash} was kept as ${checked.hash}: apply the file that it came from instead`)
  }
  const released = await release(store, { ...options, checked })
  if (json) {
    const { outcome, newlyDenied } = released
    const rollout = 'rolloutId' in released ? { rollout_id: released.rolloutId } : {}
    printJson({ kind, hash, outcome, newly_denied: newlyDenied, ...rollout })
  } else printText(describeReleased(released, kind, hash))
  return released.outcome === 'denials_not_accepted' ? EXIT.refused : EXIT.done
}

function describeReleased(released: Released, kind: DocumentKind, hash: string): string {
  if ('rolloutId' in released) return describeRollout(released)
  switch (released.outcome) {
    case 'denials_not_accepted':
      return describeRefusal(released.newlyDenied, `${shorten(hash)}${kindOption(kind)}`)
    case 'unchanged':
      return `${hash} is in force already: nothing was changed.\n`
    case 'activated':
      return `${hash} is in force. Running services decide by it from their next request on.\n`
  }
}
