import pg from 'pg'

/** A statement as `pg` is handed it. */
export type RecordedStatement = { readonly text: string; readonly values: readonly unknown[] }

/** What `work` sends to PostgreSQL by whatever connection, and what came of it. Node alone has such connections. */
export async function recordStatements<T>(
  work: () => Promise<T>,
): Promise<{ readonly answer: T; readonly statements: readonly RecordedStatement[] }> {
  const statements: RecordedStatement[] = []
  const { query } = pg.Client.prototype
  function record(this: pg.Client, ...args: readonly unknown[]): unknown {
    const [config, values] = args
    const { text, values: own } = Object(config)
    if (typeof text === 'string') {
      statements.push({ text, values: Array.isArray(values) ? values : (own ?? []) })
    }
    return Reflect.apply(query, this, args)
  }
  pg.Client.prototype.query = record as typeof query
  try {
    return { answer: await work(), statements }
  } finally {
    pg.Client.prototype.query = query
  }
}
