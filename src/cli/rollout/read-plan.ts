import { planBody, toPlanRequest } from '../../operations/release/plan-request.ts'
import type { PlanRequest } from '../../operations/release/release.ts'
import { DEFAULT_PLAN } from '../../rollout/rollout.ts'
import { readCount, UsageError } from '../framework/arguments.ts'
import { readDuration } from '../framework/duration.ts'

type PlanValues = {
  readonly stages?: string | undefined
  readonly cohort?: readonly string[] | undefined
  readonly bake?: string | undefined
  readonly 'minimum-sample'?: string | undefined
  readonly budget?: string | undefined
  readonly 'budget-share'?: string | undefined
  readonly 'by-hand': boolean
  readonly hours?: string | undefined
  readonly days?: string | undefined
}

/** What the command line says of a plan, by the rules of the API; the rest is the default. */
export function readPlan(values: PlanValues): PlanRequest {
  const { bake, budget, 'minimum-sample': sample, 'budget-share': share } = values
  const plan = planBody.safeParse({
    stages: readStages(values),
    bake_seconds: bake === undefined ? undefined : readDuration(bake, 'bake') / 1000,
    minimum_sample: sample === undefined ? undefined : readCount(sample, 'minimum-sample', 0),
    budget: {
      devices: budget === undefined ? undefined : readCount(budget, 'budget', 0),
      share: share === undefined ? undefined : readNumber(share, 'budget-share'),
    },
    promotion: values['by-hand'] ? 'by_hand' : undefined,
    hours: readHours(values),
  })
  if (plan.success) return toPlanRequest(plan.data)
  const [issue] = plan.error.issues
  const [member = ''] = issue?.path ?? []
  throw new UsageError(`${OPTION_OF[String(member)] ?? String(member)}: ${issue?.message}`)
}

const OPTION_OF: Readonly<Record<string, string>> = {
  stages: '--stages',
  bake_seconds: '--bake',
  minimum_sample: '--minimum-sample',
  budget: '--budget, --budget-share',
  hours: '--hours, --days',
}

function readStages({ stages, cohort = [] }: PlanValues) {
  if (stages === undefined && cohort.length === 0) return undefined
  const percents =
    stages === undefined
      ? DEFAULT_PLAN.stages.map(({ percent }) => percent)
      : stages.split(',').map((percent) => readNumber(percent, 'stages'))
  return percents.map((percent, at) => ({ percent, labels: at === 0 ? cohort : [] }))
}

function readHours({ hours, days }: PlanValues) {
  if (hours === undefined && days === undefined) return undefined
  const [from, to] = hours === undefined ? [0, 24] : readRange(hours, 'hours')
  return { from, to, days: readDays(days ?? '1-7') }
}

/** `1-5`, `6` or `1,3,5-7`. */
function readDays(text: string): readonly number[] {
  const days = text.split(',').flatMap((part) => {
    const [from, to] = part.includes('-') ? readRange(part, 'days') : [part, part].map(Number)
    if (from === undefined || to === undefined || !(to >= from && to <= 7)) {
      throw new UsageError('--days must be like 1-5 or 1,3,5')
    }
    return Array.from({ length: to - from + 1 }, (_, at) => from + at)
  })
  return [...new Set(days)]
}

function readRange(text: string, option: string): readonly [number, number] {
  const [, from, to] = /^(\d{1,2})-(\d{1,2})$/.exec(text) ?? []
  if (from === undefined || to === undefined) throw new UsageError(`--${option} must be like 1-5`)
  return [Number(from), Number(to)]
}

function readNumber(text: string, option: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new UsageError(`--${option}: '${text}' is no number`)
  return Number(text)
}
