import { countLosses, type PreviewSummary } from '../../replay/preview/summary.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import { isOpen, type Rollout } from '../../rollout/rollout.ts'
import type { ActiveDocument, ListedDocument, StoredDocument } from '../../store/rules/documents.ts'
import type { Store } from '../../store/store.ts'
import { type LintedDocument, lintStored } from './check-document.ts'
import { type DocumentChange, findChanges } from './document-changes.ts'
import { formatDocument } from './format-document.ts'

export type InspectDependencies = {
  readonly store: Pick<
    Store,
    | 'activeDocument'
    | 'document'
    | 'listDocuments'
    | 'listRollouts'
    | 'haltedRollouts'
    | 'listSecondRequests'
    | 'preview'
  >
  readonly clock: () => Date
}

type SecondRequests = Awaited<ReturnType<Store['listSecondRequests']>>

/** The versions of a kind, and what is under way with them. */
export type DocumentsOfKind = {
  readonly now: Date
  readonly active: ActiveDocument
  /** The newest first; there may be more. */
  readonly versions: readonly ListedDocument[]
  readonly areMore: boolean
  /** Under way; one at a time, of either kind. */
  readonly open: Rollout | undefined
  /** The last ones of this kind that are over. */
  readonly past: readonly Rollout[]
  readonly waiting: SecondRequests
}

const MOST_VERSIONS = 50
const MOST_ROLLOUTS = 20

export async function inspectDocuments(
  { store, clock }: InspectDependencies,
  kind: DocumentKind,
): Promise<DocumentsOfKind> {
  const now = clock()
  const [active, listed, rollouts, waiting] = await Promise.all([
    store.activeDocument(kind),
    store.listDocuments(kind, MOST_VERSIONS + 1),
    store.listRollouts(MOST_ROLLOUTS),
    store.listSecondRequests(now),
  ])
  if (active === null) throw new Error(`no ${kind} is active`)
  return {
    ...{ now, active, waiting },
    versions: listed.slice(0, MOST_VERSIONS),
    areMore: listed.length > MOST_VERSIONS,
    open: rollouts.find(({ state }) => isOpen(state)),
    past: rollouts.filter((one) => one.kind === kind && !isOpen(one.state)),
  }
}

/** One version, beside what is in force. */
export type InspectedVersion = {
  readonly now: Date
  readonly document: StoredDocument
  readonly active: ActiveDocument
  readonly linted: LintedDocument
  /** As people are shown it, and what is in force in the same way. */
  readonly text: string
  readonly activeText: string
  /** By which it differs from what is in force. */
  readonly changes: readonly DocumentChange[]
  readonly preview: PreviewOfVersion | undefined
  /** The last rollout of this document, where it halted. */
  readonly halted: Rollout | undefined
  readonly open: Rollout | undefined
  readonly waiting: SecondRequests
}

export type PreviewOfVersion = {
  readonly summary: PreviewSummary
  readonly at: Date
  readonly by: string
  /** Whether it was compared with what is in force now. */
  readonly isCurrent: boolean
  /** Devices that would lose access, at once or later. */
  readonly losses: number
}

/** A version with all that one should see before it is released; `undefined` where it is not kept here. */
export async function inspectVersion(
  { store, clock }: InspectDependencies,
  { kind, hash }: { readonly kind: DocumentKind; readonly hash: string },
): Promise<InspectedVersion | undefined> {
  const now = clock()
  const [document, active, others] = await Promise.all([
    store.document(kind, hash),
    store.activeDocument(kind),
    store.activeDocument(kind === 'policy' ? 'reference-values' : 'policy'),
  ])
  if (document === null) return undefined
  if (active === null) throw new Error(`no ${kind} is active`)
  const [previewed, [halted], rollouts, waiting] = await Promise.all([
    store.preview(kind, hash),
    store.haltedRollouts(kind, hash),
    store.listRollouts(MOST_ROLLOUTS),
    store.listSecondRequests(now),
  ])
  const inForce = [active.hash, others?.hash]
  return {
    ...{ now, document, active, halted, waiting },
    linted: lintStored(document, now),
    text: formatDocument(kind, document.body),
    activeText: formatDocument(kind, active.body),
    changes: findChanges(kind, active.body, document.body),
    preview: previewed === null ? undefined : previewOf(previewed, inForce),
    open: rollouts.find(({ state }) => isOpen(state)),
  }
}

type StoredPreview = NonNullable<Awaited<ReturnType<Store['preview']>>>

/** `undefined` for one that another version of the software wrote in another form. */
function previewOf(
  { summary: written, at, by, policyHash, referenceValuesHash }: StoredPreview,
  inForce: readonly (string | undefined)[],
): PreviewOfVersion | undefined {
  const summary = written as PreviewSummary | null
  if (summary?.version !== 2) return undefined
  const isCurrent = inForce.includes(policyHash) && inForce.includes(referenceValuesHash)
  return { summary, at, by, isCurrent, losses: countLosses(summary) }
}
