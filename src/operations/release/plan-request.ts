import { z } from 'zod'
import { DEFAULT_PLAN, type RolloutBudget, type RolloutPlan } from '../../rollout/rollout.ts'

/** What a plan leaves open follows from the preview. */
export type PlanRequest = Partial<Omit<RolloutPlan, 'budget'>> & {
  readonly budget?: Partial<RolloutBudget>
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

/** The plan whole: a budget that nobody named allows what was accepted, out of so many compared. */
export function completePlan(
  plan: PlanRequest,
  { accepted, compared }: { readonly accepted: number; readonly compared: number },
): RolloutPlan {
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
