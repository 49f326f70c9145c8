import type { DocumentHash } from '../../base/document-hash.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { isEnforcing, isOpen, type Rollout } from '../../rollout/rollout.ts'
import type { Store } from '../../store/store.ts'
import {
  bodyOf,
  type CheckedDocument,
  type DocumentFailure,
  type LintedDocument,
  withoutErrors,
} from './check-document.ts'
import { newControlId } from './control-id.ts'
import { type DemandDependencies, demandPreview, type LossesAsked } from './demand-preview.ts'
import {
  isLargeFleet,
  type PreviewFailure,
  type PreviewOnRecord,
  pointersOf,
  readInForce,
} from './gates.ts'
import { completePlan, type PlanRequest } from './plan-request.ts'
import type { RulesReader } from './rules-in-force.ts'
import {
  documentNeedsSecond,
  type SecondAdministrator,
  type SecondAwaited,
} from './second-administrator.ts'

export const RELEASE_REASONS = [
  'document_in_force',
  'superseded',
  'rollout_open',
  'document_halted',
] as const

export type ReleaseFailure =
  | DocumentFailure
  | PreviewFailure
  | SecondAwaited
  /** It decides already. */
  | { readonly reason: 'document_in_force' }
  /** Another document is in force than the one that this one was to follow, or stand beside. */
  | { readonly reason: 'superseded' }
  /** One rollout at a time: the one that is open. */
  | { readonly reason: 'rollout_open'; readonly rollout: Rollout }
  /** The last rollout of this very document halted, and nobody has said that it is to come all the same. */
  | { readonly reason: 'document_halted'; readonly rollout: Rollout }

export type ReleaseDependencies = DemandDependencies & {
  readonly store: Pick<
    Store,
    | 'inForce'
    | 'activeDocument'
    | 'control'
    | 'rollout'
    | 'haltedRollouts'
    | 'proposeDocument'
    | 'startRollout'
    | 'activateDocument'
  > &
    DemandDependencies['store']
  /** Decides by the document from now on: it needs not be compiled again. */
  readonly rules: Pick<RulesReader, 'keep'>
  readonly random: (length: number) => Uint8Array
}

/** `by_size`: at once in a small fleet, ring by ring in a large one. */
export type ReleaseWay =
  | { readonly kind: 'by_size' | 'at_once' }
  | { readonly kind: 'rollout'; readonly plan: PlanRequest }

export type ReleaseRequest = LossesAsked & {
  readonly document: LintedDocument
  readonly way: ReleaseWay
  readonly reason: string
  /** Only if this one is in force; without it, whatever is. */
  readonly expected?: string | undefined
  /**
   * The halted rollout of this document in spite of which it is released. Where none has halted it
   * says nothing.
   */
  readonly despite?: string | undefined
  readonly second: SecondAdministrator
}

export type Released = {
  /** Devices that lose their access; `null` where nobody was counted. */
  readonly newlyDenied: number | null
  /** Absent where the document is in force for every device from the next request on. */
  readonly rollout: Rollout | undefined
}

/** What one request is about: it is named by what it replaces and by what stays beside it. */
type Change = {
  readonly document: CheckedDocument
  readonly own: DocumentHash
  readonly beside: DocumentHash
  /** The halted rollout in spite of which it comes, '' for none; absent for a return. */
  readonly despite: string | undefined
  /** It was in force before, and comes back for every device at once. */
  readonly isWayBack: boolean
}

type Previewed = Change & { readonly preview: PreviewOnRecord | undefined }

/**
 * The one way for a document into force, whoever asks for it and wherever: no error of lint; no halted
 * rollout of it that nobody names; a second administrator where two are needed; a preview of exactly
 * this document against exactly what is in force, made now if the fleet is small enough; nobody denied
 * but as many as were accepted. Then it decides at once, or its rollout begins. The pointer moves only
 * while the same documents are in force.
 */
export async function release(
  dependencies: ReleaseDependencies,
  request: ReleaseRequest,
): Promise<Result<Released, ReleaseFailure>> {
  const { store } = dependencies
  const checked = withoutErrors(request.document)
  if (!checked.ok) return checked
  const { kind, compiled } = checked.value
  const active = await store.activeDocument(kind)
  const inForce = await readInForce(store)
  const { own, beside } = pointersOf(kind, inForce)
  if (own === compiled.hash) return err({ reason: 'document_in_force' })
  // What one may do alone, and what two agree on, is judged by the document that it takes the place of.
  if (active?.hash !== own || (request.expected ?? own) !== own) {
    return err({ reason: 'superseded' })
  }
  const plan = await choosePlan(store, request.way)
  const open = await findOpenRollout(store)
  const isReturn = !hasBudget(request.way) && !documentNeedsSecond(active, compiled.hash)
  const isWayBack = isReturn && plan === undefined
  // At once it takes the place of a rollout of its own kind that decides for nobody yet, and ends it. A way
  // back waits for no rollout of the other kind either.
  const mayEndIt = plan === undefined && (isWayBack || open?.kind === kind)
  if (open !== undefined && (!mayEndIt || isEnforcing(open))) {
    return err({ reason: 'rollout_open', rollout: open })
  }
  const [halted] = isReturn ? [] : await store.haltedRollouts(kind, compiled.hash)
  if (halted !== undefined && halted.rolloutId !== request.despite) {
    return err({ reason: 'document_halted', rollout: halted })
  }
  const isAlone = isReturn && request.acceptedDenials === 0
  const awaitSecond = async () => (isAlone ? undefined : request.second.ask(own))
  const despite = isReturn ? undefined : (halted?.rolloutId ?? '')
  const change = { document: checked.value, own, beside, despite, isWayBack }
  const preview = await demandPreview(dependencies, { ...change, inForce, awaitSecond }, request)
  if (!preview.ok) {
    const back = isWayBack ? { kind, hash: compiled.hash, paused: undefined } : undefined
    return err({ ...preview.failure, back })
  }
  return plan === undefined
    ? activate(dependencies, request, { ...change, preview: preview.value })
    : start(dependencies, request, { ...change, preview: preview.value, plan })
}

/** A budget of one's own can be as much as there are devices: it says what may be lost too. */
function hasBudget(way: ReleaseWay): boolean {
  return way.kind === 'rollout' && Object.keys(way.plan.budget ?? {}).length > 0
}

async function choosePlan(
  store: ReleaseDependencies['store'],
  way: ReleaseWay,
): Promise<PlanRequest | undefined> {
  if (way.kind === 'rollout') return way.plan
  return way.kind === 'by_size' && (await isLargeFleet(store)) ? {} : undefined
}

async function activate(
  { store, rules, clock }: ReleaseDependencies,
  { by: author, reason }: ReleaseRequest,
  { document, own, beside, despite, preview }: Previewed,
): Promise<Result<Released, ReleaseFailure>> {
  const { kind, compiled } = document
  const answer = await store.activateDocument({
    ...{ kind, hash: compiled.hash, body: bodyOf(document), author, reason, now: clock() },
    ...{ expected: own, beside, despite },
  })
  if (answer === 'superseded') return err({ reason: 'superseded' })
  if (answer === 'unchanged') return err({ reason: 'document_in_force' })
  rules.keep(document)
  return ok({ newlyDenied: preview?.newlyDenied ?? null, rollout: undefined })
}

async function start(
  { store, rules, clock, random }: ReleaseDependencies,
  { by: author, reason, acceptedDenials }: ReleaseRequest,
  input: Previewed & { readonly plan: PlanRequest },
): Promise<Result<Released, ReleaseFailure>> {
  const { document, own: from, beside, despite, preview, plan } = input
  if (preview === undefined) throw new TypeError('a rollout begins with a preview')
  const { kind, compiled } = document
  const { hash: to } = compiled
  const names = { kind, author, reason, now: clock() }
  await store.proposeDocument({ ...names, hash: to, body: bodyOf(document) })
  const rolloutId = newControlId('rol', random)
  const answer = await store.startRollout({
    ...{ ...names, rolloutId, from, to, beside, despite, note: reason },
    plan: completePlan(plan, { accepted: acceptedDenials, preview }),
  })
  if (answer !== 'applied') return err(await explain(store, answer))
  rules.keep(document)
  const rollout = await store.rollout(rolloutId)
  if (rollout === null) throw new Error('a rollout that was started is not there')
  return ok({ newlyDenied: preview.newlyDenied, rollout })
}

async function explain(
  store: Pick<Store, 'control'>,
  answer: 'unchanged' | 'superseded' | 'another_open' | 'document_unknown',
): Promise<ReleaseFailure> {
  switch (answer) {
    case 'unchanged':
      return { reason: 'document_in_force' }
    case 'another_open': {
      const rollout = await findOpenRollout(store)
      // It may have ended meanwhile: then it has changed what this one was made against.
      return rollout === undefined ? { reason: 'superseded' } : { reason: 'rollout_open', rollout }
    }
    case 'superseded':
      return { reason: 'superseded' }
    case 'document_unknown':
      throw new Error('a document that was proposed is not there')
  }
}

async function findOpenRollout(store: Pick<Store, 'control'>): Promise<Rollout | undefined> {
  const { rollouts } = await store.control()
  return rollouts.find(({ state }) => isOpen(state))
}
