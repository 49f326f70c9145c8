import type { Config } from '../../config/config.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'
import type { PlanRequest } from '../../operations/release/plan-request.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { printJson, printText } from '../framework/output.ts'
import { describeFindings } from '../policy/describe-findings.ts'
import { kindOption } from '../policy/document-kinds.ts'
import { findCandidate, isVersion } from '../policy/find-version.ts'
import {
  describeRefusal,
  describeRollout,
  isRefused,
  type Release,
  type Released,
  releaseByCommand,
} from '../policy/gate.ts'
import { type Candidate, demandChecked, hasErrors, readCandidate } from '../policy/read-document.ts'

export type StartOptions = Omit<Release, 'document' | 'way' | 'requiresHardware'> & {
  readonly kind: DocumentKind
  /** A file, or the hash of a version. */
  readonly name: string
  readonly plan: PlanRequest
}

/** Begins a rollout of a document that passes both gates. A file is read before the database is. */
export function startRollout(
  options: StartOptions,
): (store: Store, config: Config) => Promise<number> {
  const { name, kind, clock } = options
  const file = isVersion(name) ? undefined : readCandidate(kind, name, { now: clock() })
  return async (store, config) => {
    const candidate = file ?? (await findCandidate(store, { kind, prefix: name, now: clock() }))
    const { json } = options
    if (hasErrors(candidate)) {
      if (json) printJson({ kind, outcome: 'refused', findings: candidate.findings })
      else printText(`${describeFindings(candidate)}No rollout began: correct the errors first.\n`)
      return EXIT.refused
    }
    const checked = demandChecked(candidate)
    const { name: _, kind: __, plan, ...release } = options
    const released = await releaseByCommand(store, {
      ...release,
      document: candidate,
      way: { kind: 'rollout', plan },
      requiresHardware: requiresHardware(config),
    })
    if (json) printJson({ kind, hash: checked.compiled.hash, ...show(released) })
    else printText(describe(released, candidate))
    return isRefused(released) ? EXIT.refused : EXIT.done
  }
}

function show(released: Released): object {
  return {
    outcome: released.outcome,
    newly_denied: released.newlyDenied,
    rollout_id: 'rolloutId' in released ? released.rolloutId : null,
  }
}

function describe(released: Released, { kind, label, checked }: Candidate): string {
  if ('rolloutId' in released) return describeRollout(released)
  return isRefused(released)
    ? describeRefusal(released, `${label}${kindOption(kind)}`)
    : `${checked?.compiled.hash} is in force already: nothing was changed.\n`
}
