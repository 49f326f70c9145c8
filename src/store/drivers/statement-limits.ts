/**
 * What statements are for. Each use has connections of its own, so that none starves another, and
 * limits of its own, so that no statement outlives whoever asked for it.
 */
export const STORE_USES = ['decisions', 'recordings', 'administration', 'jobs'] as const

export type StoreUse = (typeof STORE_USES)[number]

/** In milliseconds. */
export type StatementLimits = {
  /** The server ends a statement that runs longer: `statement_timeout`. */
  readonly statementMs: number
  /** The server ends a statement that waits longer for one lock: `lock_timeout`. */
  readonly lockMs: number
  /**
   * The client gives up, and its connection with it. More than `statementMs`, so that it is the server
   * that ends a statement, unless nothing comes from there any more.
   */
  readonly answerMs: number
}

export const STATEMENT_LIMITS: Readonly<Record<StoreUse, StatementLimits>> = {
  decisions: { statementMs: 3000, lockMs: 1000, answerMs: 4000 },
  recordings: { statementMs: 5000, lockMs: 1000, answerMs: 6000 },
  administration: { statementMs: 10_000, lockMs: 3000, answerMs: 12_000 },
  jobs: { statementMs: 10_000, lockMs: 1000, answerMs: 12_000 },
}

/** No statement of ours leaves a transaction open: one that is found so belongs to a dead process. */
export const IDLE_IN_TRANSACTION_MS = 10_000

/** A connection is made, or one becomes free, within so long. */
export const CONNECT_MS = 3000

/** Statements of one use that wait for a connection. More are refused at once (`queue_full`). */
export const WAITING_MOST = 512

/**
 * How many of `total` connections each use has: a fifth is for administration and a fifth for jobs,
 * and decisions and recordings share the rest. Each has one at least, and administration two, one of which no
 * list takes (`limitLists`): so fewer than five are five.
 */
export function shareConnections(total: number): Readonly<Record<StoreUse, number>> {
  const fifth = Math.floor(total / 5)
  const [administration, jobs] = [Math.max(2, fifth), Math.max(1, fifth)]
  const rest = Math.max(2, total - administration - jobs)
  const decisions = Math.floor(rest / 2)
  return { decisions, recordings: rest - decisions, administration, jobs }
}
