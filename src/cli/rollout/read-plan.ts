import { describeIssue } from '../../base/fields.ts'
import type { PlanRequest } from '../../operations/release/plan-request.ts'
import { planBody, toPlanRequest } from '../../operations/release/plan-request.ts'
import { DEFAULT_PLAN } from '../../rollout/rollout.ts'
import {
  count,
  duration,
  flag,
  option,
  repeated,
  text,
  type ValuesOf,
} from '../framework/options.ts'
import { UsageError } from '../framework/usage-error.ts'

/** What the command line says of a plan; the rest is the default. */
export const PLAN_OPTIONS = {
  stages: option('LIST', 'hundredths of the fleet, the last one 100: 1,5,20,50,100', readNumbers),
  cohort: repeated(text('LABEL', 'devices with this label belong to the first stage')),
  bake: duration('AGE', 'how long a stage stays healthy before the next one: 90s, 30m, 1h, 2d'),
  minimumSample: count('N', 'so many devices of a stage must have been compared, or half of them'),
  budget: count('N', 'it halts when more devices than this are lost'),
  budgetShare: option('X', 'or more than this share of those compared: 0.01', readNumber),
  byHand: flag('no stage begins by itself: promote does it'),
  hours: option('FROM-TO', 'stages begin by themselves only then (UTC): 8-17', readRange),
  days: option('LIST', 'and on these days, of which 1 is Monday: 1-5', readDays),
}

type PlanValues = ValuesOf<typeof PLAN_OPTIONS>

/** The plan by the rules of the API. */
export function readPlan(values: PlanValues): PlanRequest {
  const { bake, budget, minimumSample, budgetShare, byHand } = values
  const plan = planBody.safeParse({
    stages: readStages(values),
    bake_seconds: bake === undefined ? undefined : bake / 1000,
    minimum_sample: minimumSample,
    budget: { devices: budget, share: budgetShare },
    promotion: byHand ? 'by_hand' : undefined,
    hours: values.hours || values.days ? readHours(values) : undefined,
  })
  if (plan.success) return toPlanRequest(plan.data)
  const [issue] = plan.error.issues
  const [member = ''] = issue?.path ?? []
  const option = OPTION_OF[String(member)] ?? 'the plan'
  throw new UsageError(`${option}: ${issue === undefined ? 'is wrong' : describeIssue(issue)}`)
}

const OPTION_OF: Readonly<Record<string, string>> = {
  stages: '--stages',
  bake_seconds: '--bake',
  minimum_sample: '--minimum-sample',
  budget: '--budget, --budget-share',
  hours: '--hours, --days',
}

function readStages({ stages, cohort }: PlanValues) {
  if (stages === undefined && cohort.length === 0) return undefined
  const percents = stages ?? DEFAULT_PLAN.stages.map(({ percent }) => percent)
  return percents.map((percent, at) => ({ percent, labels: at === 0 ? cohort : [] }))
}

function readHours({ hours, days = [1, 2, 3, 4, 5, 6, 7] }: PlanValues) {
  const [from, to] = hours ?? [0, 24]
  return { from, to, days }
}

/** `1-5`, `6` or `1,3,5-7`. */
function readDays(text: string, label: string): readonly number[] {
  const days = text.split(',').flatMap((part) => {
    const [from, to] = part.includes('-') ? readRange(part, label) : [part, part].map(Number)
    if (from === undefined || to === undefined || !(to >= from && to <= 7)) {
      throw new UsageError(`${label} must be like 1-5 or 1,3,5`)
    }
    return Array.from({ length: to - from + 1 }, (_, at) => from + at)
  })
  return [...new Set(days)]
}

function readRange(text: string, label: string): readonly [number, number] {
  const [, from, to] = /^(\d{1,2})-(\d{1,2})$/.exec(text) ?? []
  if (from === undefined || to === undefined) throw new UsageError(`${label} must be like 1-5`)
  return [Number(from), Number(to)]
}

function readNumbers(text: string, label: string): readonly number[] {
  return text.split(',').map((part) => readNumber(part, label))
}

function readNumber(text: string, label: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new UsageError(`${label}: '${text}' is no number`)
  return Number(text)
}
