import { COMMAND } from '../../base/command.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { printJson, printText } from '../framework/output.ts'
import { describeFindings } from './describe-findings.ts'
import { kindOption } from './document-kinds.ts'
import { findCandidate, shorten } from './find-version.ts'
import {
  describeRefusal,
  describeRollout,
  isRefused,
  type Release,
  type Released,
  releaseByCommand,
} from './gate.ts'
import { demandChecked, hasErrors } from './read-document.ts'

export type ActivateOptions = Omit<Release, 'document'> & {
  readonly kind: DocumentKind
  readonly hash: string
}

/** Brings a version into force again, or for the first time, through the same gates as apply. */
export async function activateVersion(store: Store, options: ActivateOptions): Promise<number> {
  const { kind, hash: prefix, json, clock, ...release } = options
  const document = await findCandidate(store, { kind, prefix, now: clock() })
  if (hasErrors(document)) {
    if (json) printJson({ kind, hash: prefix, outcome: 'refused', findings: document.findings })
    else {
      printText(describeFindings(document))
      printText(
        `Not in force: correct a copy (${COMMAND} policy export --all) and apply that one.\n`,
      )
    }
    return EXIT.refused
  }
  const { hash } = demandChecked(document).compiled
  const released = await releaseByCommand(store, { ...release, document, json, clock })
  if (json) {
    const { outcome, newlyDenied } = released
    const rollout = 'rolloutId' in released ? { rollout_id: released.rolloutId } : {}
    printJson({ kind, hash, outcome, newly_denied: newlyDenied, ...rollout })
  } else printText(describeReleased(released, kind, hash))
  return isRefused(released) ? EXIT.refused : EXIT.done
}

function describeReleased(released: Released, kind: DocumentKind, hash: string): string {
  if ('rolloutId' in released) return describeRollout(released)
  if (isRefused(released)) return describeRefusal(released, `${shorten(hash)}${kindOption(kind)}`)
  switch (released.outcome) {
    case 'unchanged':
      return `${hash} is in force already: nothing was changed.\n`
    case 'activated':
      return `${hash} is in force. Running services decide by it from their next request on.\n`
  }
}
