import type { DocumentHash } from '../base/document-hash.ts'
import { exceedsBudget, type Losses, type RolloutBudget } from './budget.ts'

/**
 * The life of a change of documents. Pure: what to do next follows from the rollout, its health and
 * the time; doing it is one statement of the store, which of two processes succeeds for one.
 *
 *               ┌────────────── audit pass ──────────────┐    ┌────────── enforce pass ──────────┐
 *     start ──► │ stage 0 ──► stage 1 ──► … ──► the last │──► │ stage 0 ──► … ──► the last        │──► done
 *               └────────────────────────────────────────┘    └──────────────────────────────────┘
 *     running ◄──► paused                       from both:  halt ──► halted,  revert ──► reverted
 *
 * In the audit pass the new document decides nothing: it is tried on the devices of the stage, and
 * on what they ask for, beside the old one. In the enforce pass it decides for the devices of the
 * stages that were reached. `done` makes it the active document. What is halted or reverted decides
 * for nobody: every device is back at the last good version, at once and without another step.
 */
export type Rollout = {
  /** `rol_…` */
  readonly rolloutId: string
  readonly kind: 'policy' | 'reference-values'
  /** Hashes of the document in force at the beginning, and of the one that is to follow it. */
  readonly from: DocumentHash
  readonly to: DocumentHash
  /** The document of the other kind, beside which it was previewed and which stays until it is over. */
  readonly beside: DocumentHash | null
  readonly state: RolloutState
  readonly pass: RolloutPass
  /** Index into the stages of the plan. */
  readonly stage: number
  readonly plan: RolloutPlan
  /** Since when it is in this pass and stage without a pause: what goes on after one bakes anew. */
  readonly since: Date
  /** Index of each stage of the enforce pass to the ISO 8601 time at which it was entered. */
  readonly enforcedAt: Readonly<Record<string, string>>
  readonly health: RolloutHealth | null
  /** Why it is in this state, for people. */
  readonly note: string
  readonly author: string
  readonly reason: string
  readonly createdAt: Date
  readonly updatedAt: Date
  /** Of the last step. A step is taken only from the revision that it was decided on. */
  readonly revision: number
  /** Of a halted one: who released its document all the same, the last time. */
  readonly despite?: Despite | null
}

/** A release of a document whose rollout had halted. */
export type Despite = {
  readonly by: string
  readonly reason: string
  /** ISO 8601. */
  readonly at: string
}

export type RolloutState = 'running' | 'paused' | 'halted' | 'done' | 'reverted'
export type RolloutPass = 'audit' | 'enforce'

export type RolloutPlan = {
  /** Each holds all devices of those before it. */
  readonly stages: readonly RolloutStage[]
  /** How long a stage stays healthy before the next one begins. */
  readonly bakeSeconds: number
  /** So many devices of a stage must have been compared, or half of all: some are always away. */
  readonly minimumSample: number
  readonly budget: RolloutBudget
  readonly promotion: 'automatic' | 'by_hand'
  /** When stages may begin by themselves; `null` for any time. A halt waits for no hour. */
  readonly hours: WorkingHours | null
}

export type RolloutStage = {
  /** Devices whose ring is below it: so many hundredths of the fleet. */
  readonly percent: number
  /** Devices that have any of these labels besides. */
  readonly labels: readonly string[]
}

/** In UTC, so that they mean the same everywhere. Hours from 0 to 24, `to` exclusive. */
export type WorkingHours = {
  readonly from: number
  readonly to: number
  /** 1 is Monday, 7 is Sunday. */
  readonly days: readonly number[]
}

/** What a check of the stage found: a replay of recorded claims, and what was really asked. */
export type RolloutHealth = Losses & {
  /** ISO 8601. */
  readonly at: string
  /** Devices that attest and are not held back; those that could be replayed are `compared`. */
  readonly devices: number
  /** ISO 8601: when it is too much, where that is still to come. */
  readonly from?: string
  /** The clauses or causes behind them, most devices first. */
  readonly causes: readonly { readonly cause: string; readonly devices: number }[]
  readonly examples: readonly string[]
}

export type RolloutStep =
  | { readonly kind: 'stay'; readonly why: StayReason }
  | { readonly kind: 'halt'; readonly why: 'budget_exceeded' }
  | { readonly kind: 'enter'; readonly pass: RolloutPass; readonly stage: number }
  | { readonly kind: 'complete' }

export type StayReason =
  | 'not_running'
  | 'not_checked'
  | 'baking'
  | 'sample_too_small'
  | 'outside_hours'
  | 'waits_for_promotion'

/** One per cent at first: that is the most that can ever be hit before it is noticed. */
export const DEFAULT_PLAN: RolloutPlan = {
  stages: [1, 5, 20, 50, 100].map((percent) => ({ percent, labels: [] })),
  bakeSeconds: 3600,
  minimumSample: 100,
  budget: { devices: 10, share: 0.01 },
  promotion: 'automatic',
  hours: null,
}

/** `audit stage 2 of 5`: where a rollout is, or was when it ended. */
export function nameStage({ pass, stage, plan }: Pick<Rollout, 'pass' | 'stage' | 'plan'>): string {
  return `${pass} stage ${stage + 1} of ${plan.stages.length}`
}

/** Decisions are made by the new document for the devices of its stage. */
export function isEnforcing({ state, pass }: Rollout): boolean {
  return pass === 'enforce' && isOpen(state)
}

export function isOpen(state: RolloutState): boolean {
  return state === 'running' || state === 'paused'
}

/** Whether a device belongs to the stage that the rollout is in. */
export function isInStage(
  { plan, stage }: Pick<Rollout, 'plan' | 'stage'>,
  device: { readonly ring: number; readonly labels: readonly string[] },
): boolean {
  return plan.stages.slice(0, stage + 1).some(({ percent, labels }) => {
    return device.ring < percent || labels.some((label) => device.labels.includes(label))
  })
}

/** What selects the devices of the stage that a rollout is in: a stage holds those before it. */
export function wholeStage({ plan, stage }: Pick<Rollout, 'plan' | 'stage'>): RolloutStage {
  const reached = plan.stages.slice(0, stage + 1)
  return {
    percent: Math.max(...reached.map(({ percent }) => percent)),
    labels: [...new Set(reached.flatMap(({ labels }) => labels))],
  }
}

/**
 * Since when the new document decides for a device of the stage that the rollout is in: since the
 * first stage that holds it was entered, so that no later one lengthens a grace.
 */
export function enforcedSince(
  rollout: Pick<Rollout, 'plan' | 'enforcedAt' | 'createdAt'>,
  device: Parameters<typeof isInStage>[1],
): Date {
  const { plan, enforcedAt, createdAt } = rollout
  const first = plan.stages.findIndex((_, stage) => isInStage({ plan, stage }, device))
  const entered = enforcedAt[String(first)]
  return entered === undefined ? createdAt : new Date(entered)
}

/** What follows from a check that was made of this very revision. Too much always halts. */
export function nextStep(
  rollout: Rollout,
  { health, now }: { readonly health: RolloutHealth | null; readonly now: Date },
): RolloutStep {
  const { state, plan, since } = rollout
  if (!isOpen(state)) return { kind: 'stay', why: 'not_running' }
  if (health !== null && exceedsBudget(plan.budget, health, now)) {
    return { kind: 'halt', why: 'budget_exceeded' }
  }
  if (state === 'paused') return { kind: 'stay', why: 'not_running' }
  if (health === null) return { kind: 'stay', why: 'not_checked' }
  if (now.getTime() < since.getTime() + plan.bakeSeconds * 1000) {
    return { kind: 'stay', why: 'baking' }
  }
  if (health.compared < sampleNeeded(plan, health)) {
    return { kind: 'stay', why: 'sample_too_small' }
  }
  if (plan.promotion === 'by_hand') return { kind: 'stay', why: 'waits_for_promotion' }
  if (plan.hours !== null && !isWithin(plan.hours, now)) {
    return { kind: 'stay', why: 'outside_hours' }
  }
  return followingStep(rollout)
}

/** How many devices must have been compared for a stage to be left by itself. */
export function sampleNeeded(
  { minimumSample }: RolloutPlan,
  { devices }: Pick<RolloutHealth, 'devices'>,
): number {
  return Math.min(minimumSample, Math.floor(devices / 2))
}

/** The step after this stage: what a promotion does by hand, whatever else it would wait for. */
export function followingStep({ plan, pass, stage }: Rollout): RolloutStep {
  if (stage + 1 < plan.stages.length) return { kind: 'enter', pass, stage: stage + 1 }
  return pass === 'audit' ? { kind: 'enter', pass: 'enforce', stage: 0 } : { kind: 'complete' }
}

export function isWithin({ from, to, days }: WorkingHours, now: Date): boolean {
  const day = now.getUTCDay() === 0 ? 7 : now.getUTCDay()
  const hour = now.getUTCHours()
  return days.includes(day) && hour >= from && hour < to
}
