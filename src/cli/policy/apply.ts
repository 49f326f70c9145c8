import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { printJson, printText } from '../framework/output.ts'
import { kindOption } from './document-kinds.ts'
import {
  describeRefusal,
  describeRollout,
  isRefused,
  type Release,
  type Released,
  releaseByCommand,
} from './gate.ts'
import { describeStep, exitCodeOf, nameOf, planDocuments, type Step, showStep } from './plan.ts'
import type { Candidate } from './read-document.ts'

export type ApplyOptions = Omit<Release, 'document' | 'reason'> & {
  readonly reason: string | undefined
  readonly confirm: (question: string) => Promise<boolean>
}

type Applied = { readonly step: Step; readonly released: Released | undefined }

/**
 * Brings documents into force, one after the other, each through both gates: the second one is
 * previewed against what the first has changed. Where the first one is rolled out, the second one
 * waits for its end. `done`, or `refused`: errors in a document, a no, or devices that would be denied.
 */
export async function applyDocuments(
  store: Store,
  candidates: readonly Candidate[],
  options: ApplyOptions,
): Promise<number> {
  const { json, clock, maxAgeMs } = options
  const steps = await planDocuments(store, candidates, { json, maxAgeMs, now: clock() })
  const code = exitCodeOf(steps)
  if (!json) printText(steps.map(describeStep).join('\n'))
  if (code === EXIT.refused) {
    if (json)
      printJson({ documents: steps.map((step) => showApplied({ step, released: undefined })) })
    else printText('\nNothing was applied: correct the errors first.\n')
    return EXIT.refused
  }
  const isAsked = code === EXIT.differs && !json
  if (isAsked && !(await options.confirm('Apply this?'))) {
    printText('Nothing was applied.\n')
    return EXIT.refused
  }
  const applied: Applied[] = []
  for (const step of steps) {
    const released = step.state === 'changed' ? await applyStep(store, step, options) : undefined
    applied.push({ step, released })
    if (released !== undefined && isRefused(released)) break
    if (released !== undefined && 'rolloutId' in released) {
      if (!json) printText(describeWaiting(steps.slice(applied.length)))
      break
    }
  }
  if (json) printJson({ documents: applied.map(showApplied) })
  const isNo = applied.some(({ released }) => released !== undefined && isRefused(released))
  return isNo ? EXIT.refused : EXIT.done
}

async function applyStep(store: Store, step: Step, options: ApplyOptions): Promise<Released> {
  const { confirm: _, ...release } = options
  const document = step.candidate
  const reason = options.reason ?? `apply ${document.label}`
  const released = await releaseByCommand(store, { ...release, document, reason })
  if (!options.json) printText(describeReleased(released, step.candidate))
  return released
}

function describeWaiting(others: readonly Step[]): string {
  return others
    .filter(({ state }) => state === 'changed')
    .map(({ candidate }) => `${nameOf(candidate)} waits for the end of it: apply again then.\n`)
    .join('')
}

function describeReleased(released: Released, candidate: Candidate): string {
  const { kind, label, checked } = candidate
  const name = nameOf(candidate)
  if ('rolloutId' in released) return `\n${name}: ${describeRollout(released)}`
  if (isRefused(released)) return describeRefusal(released, `${label}${kindOption(kind)}`)
  return `\n${name} is in force: ${checked?.compiled.hash}\nRunning services decide by it from their next request on.\n`
}

function showApplied({ step, released }: Applied): object {
  return {
    ...showStep(step),
    outcome: released?.outcome ?? (step.state === 'refused' ? 'refused' : 'unchanged'),
    newly_denied: released?.newlyDenied ?? null,
    ...(released !== undefined && 'rolloutId' in released && { rollout_id: released.rolloutId }),
  }
}
