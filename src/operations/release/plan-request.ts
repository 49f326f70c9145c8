import { z } from 'zod'
import type { Allowance } from '../../rollout/budget.ts'
import { DEFAULT_PLAN, type RolloutPlan } from '../../rollout/rollout.ts'
import type { PreviewOnRecord } from './gates.ts'

/** What a plan leaves open follows from the preview. */
export type PlanRequest = Partial<Omit<RolloutPlan, 'budget'>> & {
  /** A member that is named holds for any time, whatever was accepted. */
  readonly budget?: Partial<Allowance>
}

const MAX_STAGES = 20
const MAX_LABELS = 64
const MAX_BAKE_SECONDS = 30 * 86_400
const MAX_COUNT = 100_000_000

const stage = z.strictObject({
  percent: z.int().min(0).max(100),
  labels: z.array(z.string().min(1).max(64)).max(MAX_LABELS).default([]),
})

const stages = z
  .array(stage)
  .min(1)
  .max(MAX_STAGES)
  .refine(
    (all) => all.every(({ percent }, at) => percent >= (all[at - 1]?.percent ?? 0)),
    'each stage must hold those before it',
  )
  .refine((all) => all.at(-1)?.percent === 100, 'the last stage must be all devices: 100')

const hours = z
  .strictObject({
    from: z.int().min(0).max(23),
    to: z.int().min(1).max(24),
    days: z.array(z.int().min(1).max(7)).min(1).max(7),
  })
  .refine(({ from, to }) => from < to, 'must begin before they end')

/** The plan of a rollout, as the API and the command line take it: what is left out is the default. */
export const planBody = z.strictObject({
  stages: stages.optional(),
  bake_seconds: z.int().min(0).max(MAX_BAKE_SECONDS).optional(),
  minimum_sample: z.int().min(0).max(MAX_COUNT).optional(),
  budget: z
    .strictObject({
      devices: z.int().min(0).max(MAX_COUNT).optional(),
      share: z.number().min(0).max(1).optional(),
    })
    .optional(),
  promotion: z.enum(['automatic', 'by_hand']).optional(),
  hours: hours.nullable().optional(),
})

export function toPlanRequest(body: z.infer<typeof planBody>): PlanRequest {
  const { stages, bake_seconds, minimum_sample, budget, promotion, hours } = body
  const { devices, share } = budget ?? {}
  return {
    ...(stages !== undefined && { stages }),
    ...(bake_seconds !== undefined && { bakeSeconds: bake_seconds }),
    ...(minimum_sample !== undefined && { minimumSample: minimum_sample }),
    ...(promotion !== undefined && { promotion }),
    ...(hours !== undefined && { hours }),
    budget: {
      ...(devices !== undefined && { devices }),
      ...(share !== undefined && { share }),
    },
  }
}

/** Half as much again as the preview found, so that a device more or less halts nothing. */
const BUDGET_SLACK = 1.5
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/**
 * The plan whole. A budget that nobody named allows what was accepted, out of so many compared: what the
 * preview foresees for later from then on, and the rest from the beginning.
 */
export function completePlan(
  { budget: named = {}, ...plan }: PlanRequest,
  input: { readonly accepted: number; readonly preview: PreviewOnRecord },
): RolloutPlan {
  const { accepted, preview } = input
  const { compared } = preview
  const allow = (devices: number): Allowance => ({
    devices,
    share: compared === 0 ? 0 : Math.min(1, (BUDGET_SLACK * devices) / compared),
  })
  const later = preview.later.map((one) => ({
    ...{ at: earliest(one.at, preview), ...allow(one.devices) },
    // What is named is for all times.
    ...(named.devices !== undefined && { devices: 0 }),
    ...(named.share !== undefined && { share: 0 }),
  }))
  const foreseen = preview.later.reduce((sum, { devices }) => sum + devices, 0)
  const now = allow(Math.max(0, accepted - foreseen))
  const { devices, share } = DEFAULT_PLAN.budget
  return {
    ...DEFAULT_PLAN,
    ...plan,
    budget: {
      devices: Math.max(devices, now.devices),
      share: Math.max(share, now.share),
      ...named,
      ...(later.some((one) => one.devices > 0 || one.share > 0) && { later }),
    },
  }
}

/**
 * Where clauses go by the hour or the day, or name no date, a preview looks at some steps, and at questions when they
 * are asked: what it finds has begun by an hour or a day earlier at most.
 */
function earliest(at: string, { at: made, isCoarse }: PreviewOnRecord): string {
  if (!isCoarse) return at
  const time = Date.parse(at)
  const stepMs = time - made.getTime() <= DAY_MS ? HOUR_MS : DAY_MS
  return new Date(time - stepMs).toISOString()
}
