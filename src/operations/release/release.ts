import { toBase32 } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import {
  DEFAULT_PLAN,
  isOpen,
  type Rollout,
  type RolloutBudget,
  type RolloutPlan,
} from '../../rollout/rollout.ts'
import type { Store } from '../../store/store.ts'
import { bodyOf, type CheckedDocument } from './check-document.ts'
import { type Gate, type GateFailure, hashOf, type PreviewOnRecord, passGate } from './gates.ts'

export const RELEASE_REASONS = ['superseded', 'rollout_open'] as const

export type ReleaseFailure =
  | GateFailure
  /** Another document is in force than the one that this one was to follow. */
  | { readonly reason: 'superseded' }
  /** One rollout at a time: the one that is open. */
  | { readonly reason: 'rollout_open'; readonly rollout: Rollout }

/** A document that has passed gate one, and what gate two asks of it. */
export type Release = Omit<Gate, 'hash'> & {
  readonly checked: CheckedDocument
  readonly author: string
  readonly reason: string
  /** Only if this one is in force; without it, whatever is. */
  readonly expected?: string | undefined
}

/** What a plan leaves open follows from the preview. */
export type PlanRequest = Partial<Omit<RolloutPlan, 'budget'>> & {
  readonly budget?: Partial<RolloutBudget>
}

type Released<T> = Promise<Result<T & { readonly newlyDenied: number }, ReleaseFailure>>

/** Begins to bring a document into force ring by ring, if it passes gate two. */
export async function startRelease(
  store: Store,
  release: Release & {
    readonly plan: PlanRequest
    readonly random: (length: number) => Uint8Array
  },
): Released<{ readonly rollout: Rollout }> {
  const { kind, checked, author, reason, plan, now } = release
  const passed = await passGate(store, { ...release, hash: checked.hash })
  if (!passed.ok) return passed
  const { inForce, preview } = passed.value
  const from = hashOf(kind, inForce)
  if (isOther(release.expected, from)) return err({ reason: 'superseded' })
  const open = await findOpenRollout(store, kind)
  if (open !== undefined) return err({ reason: 'rollout_open', rollout: open })

  const to = checked.hash
  const names = { kind, author, reason, now }
  await store.proposeDocument({ ...names, hash: to, body: bodyOf(checked) })
  const rolloutId = newControlId('rol', release.random)
  const answer = await store.startRollout({
    ...names,
    rolloutId,
    from,
    to,
    plan: completePlan(plan, { ...preview, accepted: release.acceptedDenials }),
    note: reason,
  })
  if (answer === 'applied') {
    const rollout = await readRollout(store, rolloutId)
    return ok({ rollout, newlyDenied: preview.newlyDenied })
  }
  return err(await explain(store, kind, answer))
}

/**
 * Brings a document into force for every device with its next request, if it passes gate two. An
 * open rollout of its kind ends.
 */
export async function releaseAtOnce(
  store: Store,
  release: Release,
): Released<{ readonly hash: string }> {
  const { kind, checked, author, reason, now } = release
  const { hash } = checked
  const passed = await passGate(store, { ...release, hash })
  if (!passed.ok) return passed
  const expected = hashOf(kind, passed.value.inForce)
  if (isOther(release.expected, expected)) return err({ reason: 'superseded' })
  const body = bodyOf(checked)
  const answer = await store.activateDocument({ kind, hash, body, author, reason, now, expected })
  if (answer === 'superseded') return err({ reason: 'superseded' })
  return ok({ hash, newlyDenied: passed.value.preview.newlyDenied })
}

export async function findOpenRollout(
  store: Pick<Store, 'control'>,
  kind: DocumentKind,
): Promise<Rollout | undefined> {
  const { rollouts } = await store.control()
  return rollouts.find((one) => one.kind === kind && isOpen(one.state))
}

/** `rol_…`, `ovr_…`: unguessable, so that none can be met by chance. */
export function newControlId(prefix: string, random: (length: number) => Uint8Array): string {
  return `${prefix}_${toBase32(random(16))}`
}

/** Half as much again as the preview found, so that a device more or less halts nothing. */
const BUDGET_SLACK = 1.5

function completePlan(
  plan: PlanRequest,
  found: PreviewOnRecord & { readonly accepted: number },
): RolloutPlan {
  const { accepted, compared } = found
  const share = compared === 0 ? 0 : (BUDGET_SLACK * accepted) / compared
  return {
    ...DEFAULT_PLAN,
    ...plan,
    budget: {
      devices: Math.max(DEFAULT_PLAN.budget.devices, accepted),
      share: Math.min(1, Math.max(DEFAULT_PLAN.budget.share, share)),
      ...plan.budget,
    },
  }
}

async function explain(
  store: Store,
  kind: DocumentKind,
  answer: 'unchanged' | 'superseded' | 'another_open' | 'document_unknown',
): Promise<ReleaseFailure> {
  switch (answer) {
    case 'unchanged':
      return { reason: 'document_in_force' }
    case 'another_open': {
      const rollout = await findOpenRollout(store, kind)
      // It may have ended meanwhile: then it has changed what this one was made against.
      return rollout === undefined ? { reason: 'superseded' } : { reason: 'rollout_open', rollout }
    }
    case 'superseded':
      return { reason: 'superseded' }
    case 'document_unknown':
      throw new Error('a document that was proposed is not there')
  }
}

async function readRollout(store: Pick<Store, 'rollout'>, rolloutId: string): Promise<Rollout> {
  const rollout = await store.rollout(rolloutId)
  if (rollout === null) throw new Error('a rollout that was started is not there')
  return rollout
}

function isOther(expected: string | undefined, inForce: string): boolean {
  return expected !== undefined && expected !== inForce
}
