import { eq, sql } from 'drizzle-orm'
import { type Database, prepareChange } from '../drivers/database.ts'
import { encodeText } from '../json.ts'
import { jobLease } from '../schema/steering-schema.ts'

/**
 * Which process does a job that one is enough for. A lease spares work and guards nothing: every
 * step of a job holds without it.
 */
export type JobLeases = {
  /** The position at which the job goes on; `null` if another holder has it for longer than `now`. */
  readonly claimJob: (input: JobClaim) => Promise<string | null>
  /** Keeps where the job goes on. Without `until` it is free for everybody. */
  readonly yieldJob: (
    input: Omit<JobClaim, 'now' | 'until'> & {
      readonly position: string
      readonly until: Date | null
    },
  ) => Promise<'applied' | 'superseded'>
  /** Who had the job last, and until when it has it, or had it. */
  readonly jobHolder: (
    job: string,
  ) => Promise<{ readonly holder: string; readonly until: Date } | null>
}

export type JobClaim = {
  readonly job: string
  readonly holder: string
  readonly now: Date
  readonly until: Date
}

const CLAIM = ['p_job', 'p_holder', 'p_now', 'p_until'] as const
const YIELD = ['p_job', 'p_holder', 'p_position', 'p_until'] as const

export function prepareJobLeases(db: Database): JobLeases {
  const claim = prepareChange<(typeof CLAIM)[number], string | null>(db, 'claim_job', CLAIM)
  const yieldTo = prepareChange<(typeof YIELD)[number], 'applied' | 'superseded'>(
    db,
    'yield_job',
    YIELD,
  )
  const holder = db
    .select({ holder: jobLease.holder, until: jobLease.until })
    .from(jobLease)
    .where(eq(jobLease.job, sql.placeholder('job')))
    .prepare('job_holder')
  return {
    jobHolder: async (job) => (await holder.execute({ job })).at(0) ?? null,
    claimJob: ({ job, holder, now, until }) =>
      claim({
        p_job: job,
        p_holder: holder,
        p_now: now.toISOString(),
        p_until: until.toISOString(),
      }),
    yieldJob: ({ job, holder, position, until }) =>
      yieldTo({
        p_job: job,
        p_holder: holder,
        p_position: encodeText(position),
        p_until: until?.toISOString() ?? null,
      }),
  }
}
