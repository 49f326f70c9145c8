import { COMMAND } from '../../base/command.ts'
import {
  type DocumentChange,
  describeChange,
  findChanges,
} from '../../operations/release/document-changes.ts'
import {
  findPreview,
  type HashesInForce,
  type PreviewOnRecord,
  pointersOf,
} from '../../operations/release/gates.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { printJson, printText } from '../framework/output.ts'
import { countFindings, describeFindings } from './describe-findings.ts'
import { readHashesInForce, readInForce } from './in-force.ts'
import { type Candidate, hasErrors } from './read-document.ts'
import {
  describeTests,
  haveFailed,
  type RanTests,
  runTests,
  showTests,
  testsBeside,
} from './tests.ts'

/** What applying one document would do. */
export type Step = {
  readonly candidate: Candidate
  readonly state: 'refused' | 'in_force' | 'changed'
  /** Of a policy that would come into force, where its tests stand beside it. */
  readonly tests: RanTests | undefined
  readonly changes: readonly DocumentChange[]
  /** The preview on record that would count; of what changes, one is made if there is none. */
  readonly preview: PreviewOnRecord | undefined
}

export type PlanOptions = {
  readonly maxAgeMs: number
  readonly json: boolean
  readonly now: Date
}

/** Looks at each document; changes nothing. */
export async function planDocuments(
  store: Store,
  candidates: readonly Candidate[],
  options: PlanOptions,
): Promise<readonly Step[]> {
  const inForce = await readHashesInForce(store)
  const steps: Step[] = []
  for (const candidate of candidates) {
    steps.push(await planDocument(store, candidate, { ...options, inForce }))
  }
  return steps
}

async function planDocument(
  store: Store,
  candidate: Candidate,
  options: PlanOptions & { readonly inForce: HashesInForce },
): Promise<Step> {
  const { kind, checked } = candidate
  const { inForce, maxAgeMs, now } = options
  const nothing = { candidate, tests: undefined, changes: [], preview: undefined }
  if (checked?.compiled.hash === pointersOf(kind, inForce).own) {
    return { ...nothing, state: 'in_force' }
  }
  if (checked === undefined || hasErrors(candidate)) return { ...nothing, state: 'refused' }
  const fixtures = kind === 'policy' ? testsBeside(candidate.label) : undefined
  const tests = fixtures === undefined ? undefined : runTests(candidate, fixtures, now)
  if (tests !== undefined && haveFailed(tests)) return { ...nothing, tests, state: 'refused' }
  const active = await readInForce(store, kind)
  const changes = findChanges(kind, active.body, checked.compiled.document)
  const preview = await findPreview(store, {
    kind,
    hash: checked.compiled.hash,
    inForce,
    maxAgeMs,
    now,
  })
  return { candidate, state: 'changed', tests, changes, preview }
}

/** Prints the plan. */
export async function printPlan(
  store: Store,
  candidates: readonly Candidate[],
  options: PlanOptions & { readonly applyArguments: string },
): Promise<number> {
  const steps = await planDocuments(store, candidates, options)
  const code = exitCodeOf(steps)
  if (options.json) {
    printJson({ documents: steps.map(showStep) })
    return code
  }
  printText(steps.map(describeStep).join('\n'))
  if (code === EXIT.differs)
    printText(`\nTo do it:\n  ${COMMAND} policy apply ${options.applyArguments}\n`)
  if (code === EXIT.refused) printText('\nNothing would be applied: correct the errors first.\n')
  return code
}

export function exitCodeOf(steps: readonly Step[]): number {
  if (steps.some(({ state }) => state === 'refused')) return EXIT.refused
  return steps.some(({ state }) => state === 'changed') ? EXIT.differs : EXIT.done
}

export function showStep({
  candidate,
  state,
  tests,
  changes,
  preview,
}: Step): Record<string, unknown> {
  const { kind, label, checked, findings } = candidate
  return {
    kind: kind satisfies DocumentKind,
    file: label,
    hash: checked?.compiled.hash ?? null,
    state,
    changes,
    findings,
    tests: tests === undefined ? null : showTests(tests),
    preview_needed: state === 'changed' && preview === undefined,
    newly_denied: preview?.newlyDenied ?? null,
  }
}

const STATES: Readonly<Record<Step['state'], string>> = {
  refused: 'cannot come into force',
  in_force: 'is in force: nothing to do',
  changed: 'would come into force',
}

export function describeStep({ candidate, state, tests, changes, preview }: Step): string {
  const { checked, findings } = candidate
  const hash = checked === undefined ? '' : ` ${checked.compiled.hash}`
  const lines = [`${nameOf(candidate)}${hash} ${STATES[state]}`]
  if (findings.length > 0 && state !== 'in_force') {
    lines.push(describeFindings(candidate).trimEnd(), `  lint: ${countFindings(findings)}`)
  }
  if (tests !== undefined) lines.push(indent(describeTests(tests)))
  lines.push(...changes.map((change) => `  ${describeChange(change)}`))
  if (state === 'changed') lines.push(`  ${describePreview(preview)}`)
  return `${lines.join('\n')}\n`
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, '  ')
}

/** Its file; what has none is labelled with its hash, which says nothing beside the hash. */
export function nameOf({ kind, label, checked }: Candidate): string {
  return label === checked?.compiled.hash ? KIND_NAMES[kind] : label
}

const KIND_NAMES: Readonly<Record<DocumentKind, string>> = {
  policy: 'policy',
  'reference-values': 'reference values',
}

function describePreview(preview: PreviewOnRecord | undefined): string {
  if (preview === undefined) return 'preview: none that counts, so apply makes one first'
  const { at, newlyDenied } = preview
  return `preview: of ${at.toISOString()}, ${newlyDenied} newly denied`
}
