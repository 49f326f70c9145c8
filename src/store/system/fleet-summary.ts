import { asc, eq, sql } from 'drizzle-orm'
import { type Database, onlyRow, prepareChange, rowsOf } from '../drivers/database.ts'
import { encodeJson, type Json } from '../json.ts'
import {
  type FleetCounts,
  fleetHistory,
  fleetSummary,
  type StoredForecast,
} from '../schema/steering-schema.ts'
import { outbox } from '../schema/system-schema.ts'

/** What is known of the whole fleet without reading it. */
export type FleetSummaries = {
  /**
   * Keeps what a sweep that has ended counted, in the place of the one before, and in the history as the last of its
   * quarter of an hour. What is in there for longer than `FLEET_HISTORY_DAYS` goes with that.
   */
  readonly keepFleetSummary: (summary: FleetSummary) => Promise<void>
  /** `null` until a sweep has ended. */
  readonly fleetSummary: () => Promise<FleetSummary | null>
  /**
   * What was counted since then, the oldest first: of each `stepSeconds` the last count, and none of a step in which
   * no sweep ended. At most `FLEET_HISTORY_POINTS_MOST`.
   */
  readonly fleetHistory: (query: {
    readonly since: Date
    readonly until: Date
    readonly stepSeconds: number
  }) => Promise<readonly FleetSummary[]>
  /** Keeps what was foreseen of the fleet, in the place of the one before. */
  readonly keepForecast: (forecast: FleetForecast) => Promise<void>
  /** `null` until one was made. */
  readonly fleetForecast: () => Promise<FleetForecast | null>
  /** Events that wait to be delivered, counted up to `most`, and when the next one of them was made. */
  readonly waitingInOutbox: (most: number) => Promise<OutboxState>
}

export type FleetSummary = { readonly counts: FleetCounts; readonly at: Date }

/** Which devices would fail within days (`replay/forecast`), by the documents that were active at `at`. */
export type FleetForecast = {
  /** Hashes of the policy and of the reference values. */
  readonly documents: string
  readonly counts: StoredForecast
  readonly at: Date
}

export type OutboxState = { readonly waiting: number; readonly next: Date | null }

const SWEEP = 'sweep'
const FORECAST = 'forecast'

export const FLEET_HISTORY_DAYS = 90
export const FLEET_HISTORY_POINTS_MOST = 400
const QUARTER_MS = 900_000
const DAY_MS = 86_400_000

const KEEP = ['p_name', 'p_body', 'p_at', 'p_period', 'p_forget_before'] as const

export function prepareFleetSummaries(db: Database): FleetSummaries {
  const keep = prepareChange<(typeof KEEP)[number], 'applied'>(db, 'keep_fleet_summary', KEEP)
  const put = async (name: string, body: Json, at: Date) => {
    await db
      .insert(fleetSummary)
      .values({ name, body, at })
      .onConflictDoUpdate({ target: fleetSummary.name, set: { body, at } })
  }
  const find = async (name: string) => {
    const [row] = await db
      .select({ body: fleetSummary.body, at: fleetSummary.at })
      .from(fleetSummary)
      .where(eq(fleetSummary.name, name))
    return row
  }
  return {
    async keepFleetSummary({ counts, at }) {
      const period = Math.floor(at.getTime() / QUARTER_MS) * QUARTER_MS
      await keep({
        ...{ p_name: SWEEP, p_body: encodeJson(counts), p_at: at.toISOString() },
        p_period: new Date(period).toISOString(),
        p_forget_before: new Date(period - FLEET_HISTORY_DAYS * DAY_MS).toISOString(),
      })
    },
    fleetHistory: (query) => readHistory(db, query),
    async fleetSummary() {
      const row = await find(SWEEP)
      return row === undefined ? null : { counts: row.body as FleetCounts, at: row.at }
    },
    keepForecast: ({ documents, counts, at }) => put(FORECAST, { documents, counts }, at),
    async fleetForecast() {
      const row = await find(FORECAST)
      if (row === undefined) return null
      return { ...(row.body as Omit<FleetForecast, 'at'>), at: row.at }
    },
    async waitingInOutbox(most) {
      const some = db.select({ deviceId: outbox.deviceId }).from(outbox).limit(most).as('some')
      const counted = await db.select({ rows: sql<number>`count(*)::integer` }).from(some)
      const [first] = await db
        .select({ createdAt: outbox.createdAt })
        .from(outbox)
        .orderBy(asc(outbox.nextAttemptAt))
        .limit(1)
      return { waiting: onlyRow(counted).rows, next: first?.createdAt ?? null }
    },
  }
}

type HistoryRow = { readonly body: FleetCounts; readonly at: Date | string }

/** Each step is looked up by itself, so that no more is read than is shown. */
async function readHistory(
  db: Database,
  { since, until, stepSeconds }: Parameters<FleetSummaries['fleetHistory']>[0],
): Promise<readonly FleetSummary[]> {
  const steps = Math.ceil((until.getTime() - since.getTime()) / (stepSeconds * 1000))
  const most = Math.min(Math.max(steps, 0), FLEET_HISTORY_POINTS_MOST)
  const begin = sql`${since.toISOString()}::timestamptz`
  const step = sql`make_interval(secs => ${stepSeconds}::integer)`
  const answer: unknown = await db.execute(sql`
    select last.body, last.at from generate_series(0, ${most}::integer - 1) as n
    cross join lateral (
      select ${fleetHistory.body}, ${fleetHistory.at} from ${fleetHistory}
      where ${fleetHistory.period} >= ${begin} + n * ${step}
        and ${fleetHistory.period} < ${begin} + (n + 1) * ${step}
      order by ${fleetHistory.period} desc limit 1
    ) as last order by last.at`)
  return rowsOf<HistoryRow>(answer).map(({ body, at }) => ({ counts: body, at: new Date(at) }))
}
