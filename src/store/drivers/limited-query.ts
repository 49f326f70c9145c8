import pg from 'pg'
import type { StatementLimits } from './statement-limits.ts'

/** What `pg` sends, as far as a statement before the statement needs it. */
type Protocol = {
  readonly parse: (message: { readonly text: string; readonly name: string }) => void
  readonly bind: (message: { readonly values: readonly string[] }) => void
  readonly execute: (message: object) => void
}

/** What `pg` calls on a statement under way; its types name none of it. */
type QueryUnderWay = {
  callback: ((error: Error | null, result: pg.QueryResult) => void) | undefined
  requiresPreparation(): boolean
  prepare(connection: Protocol): void
  handleDataRow(message: object): void
  handleCommandComplete(message: object, connection: Protocol): void
}

const Query = pg.Query as unknown as new (
  config: pg.QueryConfig,
  values: readonly unknown[],
) => QueryUnderWay

const SET_LIMITS =
  "select set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true)"

/**
 * A statement that brings its limits with it, for where a connection cannot have them: a pooler in
 * transaction mode refuses most parameters of a start, and forgets what is set.
 *
 * Both go out together and end with one Sync, so that they are one transaction (PostgreSQL protocol
 * §55.2.3, "implicit transaction"): the limits are local to it, the pooler has to keep one connection
 * of the server for both, and it is one round trip. The server begins to count anew for the second.
 */
export class LimitedQuery extends Query {
  readonly #limits: StatementLimits
  #isLimiting = true

  constructor(config: pg.QueryConfig, values: readonly unknown[], limits: StatementLimits) {
    super(config, values)
    this.#limits = limits
  }

  override requiresPreparation(): boolean {
    return true
  }

  override prepare(connection: Protocol): void {
    const { statementMs, lockMs } = this.#limits
    connection.parse({ text: SET_LIMITS, name: '' })
    connection.bind({ values: [String(statementMs), String(lockMs)] })
    connection.execute({})
    super.prepare(connection)
  }

  override handleDataRow(message: object): void {
    if (!this.#isLimiting) super.handleDataRow(message)
  }

  override handleCommandComplete(message: object, connection: Protocol): void {
    if (this.#isLimiting) this.#isLimiting = false
    else super.handleCommandComplete(message, connection)
  }
}
