import { type SQL, sql } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'

/** Drizzle over any of the drivers. Only what all of them share is used on it. */
export type Database = PgDatabase<PgQueryResultHKT>

/** A value as the drivers take it: times as ISO 8601, documents as JSON text. */
export type Argument = string | number | boolean | null

/** `name(p_a => $1, p_b => $2)`, with a placeholder of each parameter's own name. */
export function callOf(name: string, parameters: readonly string[]): SQL {
  const args = parameters.map((parameter) => {
    return sql`${sql.raw(parameter)} => ${sql.placeholder(parameter)}`
  })
  return sql`${sql.raw(name)}(${sql.join(args, sql`, `)})`
}

/**
 * Prepares one of the functions that change something and answer with one word.
 * On PostgreSQL this is a named prepared statement of the same name.
 */
export function prepareChange<Parameter extends string, Answer extends string | number | null>(
  db: Database,
  name: string,
  parameters: readonly Parameter[],
): (args: Readonly<Record<Parameter, Argument>>) => Promise<Answer> {
  const statement = db
    .select({ answer: sql<Answer>`answer` })
    .from(sql`${callOf(name, parameters)} as answer`)
    .prepare(name)
  return async (args) => onlyRow(await statement.execute(args)).answer
}

/** The row of a statement that always answers with one. */
export function onlyRow<T>(rows: readonly T[]): T {
  const [row] = rows
  if (row === undefined) throw new TypeError('the statement answered without a row')
  return row
}

/** The rows of a statement that Drizzle does not know: drivers answer with them or with what holds them. */
export function rowsOf<T>(answer: unknown): T[] {
  const rows = Array.isArray(answer) ? answer : Object(answer).rows
  if (!Array.isArray(rows)) throw new TypeError('the statement answered without rows')
  return rows
}
