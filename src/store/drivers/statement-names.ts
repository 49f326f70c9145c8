import type pg from 'pg'

/** What Drizzle uses of a pool or a client, unless it is told to begin a transaction. */
export type Queryable = {
  readonly query: (config: pg.QueryConfig, values: unknown[]) => Promise<pg.QueryResult>
}

/** SQLSTATE 26000 `invalid_sql_statement_name` and 42P05 `duplicate_prepared_statement`. */
const NAME_FAULTS = ['26000', '42P05']

/**
 * The same connections, whose prepared statements keep their names only while the server's side of
 * a connection is the same for every statement (PostgreSQL protocol §55.2.3).
 *
 * A pooler in transaction mode gives each transaction another connection of the server, where a name
 * is unknown or stands for a statement of somebody else. Without names each statement is parsed where
 * it runs, in one round trip as before. `prepared` says what was found at the start; where a name is
 * missed all the same, because a pooler came later, this process goes on without names and tells
 * `onLost` once. What is missed is missed before anything is executed, so the statement is sent again.
 */
export function withStatementNames(
  client: Queryable,
  options: { readonly prepared: boolean; readonly onLost?: (() => void) | undefined },
): Queryable {
  let prepared = options.prepared
  const sendUnnamed = ({ name: _, ...config }: pg.QueryConfig, values: unknown[]) =>
    client.query(config, values)

  return {
    async query(config, values) {
      if (!prepared || config.name === undefined) return sendUnnamed(config, values)
      try {
        return await client.query(config, values)
      } catch (error) {
        if (!isNameFault(error)) throw error
        if (prepared) options.onLost?.()
        prepared = false
        return sendUnnamed(config, values)
      }
    },
  }
}

/**
 * Whether something between `client`, which is connected, and the server hands its statements on: the
 * server's process is then not the one that the start of the connection named, because a pooler makes
 * up these numbers (PgBouncer, Supavisor, and what Azure and others build in).
 */
export async function isPooled(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return rows[0]?.pid !== processOf(client)
}

/** BackendKeyData as `pg` keeps it; its types do not tell. */
function processOf(client: pg.Client): unknown {
  return 'processID' in client ? client.processID : undefined
}

function isNameFault(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    NAME_FAULTS.includes(error.code)
  )
}
