import { type SQL, sql } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import { auditedRequest } from '../../base/audited-request.ts'
import { encodeJson } from '../json.ts'

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
  const isAudited = AUDITED.some((one) => parameters.some((parameter) => parameter === one))
  const call = callOf(name, parameters)
  const statement = db
    .select({ answer: sql<Answer>`answer` })
    .from(isAudited ? auditedRows(call, 'answer') : sql`${call} as answer`)
    .prepare(name)
  return async (args) => {
    const all = isAudited ? { ...args, ...requestArgument() } : args
    return onlyRow(await statement.execute(all)).answer
  }
}

/** What functions that write entries of the audit log are given their ids by. */
const AUDITED = ['p_audit_id', 'p_audit_ids']

/**
 * The rows of a function that writes entries of the audit log, as `alias`: a statement that begins with saying,
 * for itself alone, which request it is for, as `audit.request` takes that for its default. What is executed needs
 * `requestArgument`.
 *
 * The call depends on what was said, and `offset 0` keeps it where it stands: no plan has it the other way round.
 */
export function auditedRows(call: SQL, alias: string): SQL {
  const name = sql.identifier(alias)
  return sql`set_config('countersign.request', ${sql.placeholder('request')}, true) as said
    cross join lateral (select ${name}.* from ${call} as ${name} where said is not null offset 0) as called`
}

/** The request that is being answered, for `auditedRows`. */
export function requestArgument(): { readonly request: string } {
  const request = auditedRequest()
  return { request: request === undefined ? '' : encodeJson(request) }
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
