/** Runs one statement on an embedded database, whoever has it open. */
export type RunStatement = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>

/**
 * What is in a database: by table the number of rows, and the sum of PostgreSQL's own hash of each row
 * (`hash_record_extended`), which does not depend on their order.
 */
export type Fingerprint = Readonly<Record<string, { readonly rows: string; readonly hash: string }>>

const TABLES = `
  select format('%I.%I', n.nspname, c.relname) as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and n.nspname in ('public', 'drizzle')
  order by 1`

/** Names of the tables that hold rows, partitions among them. */
export async function listTables(run: RunStatement): Promise<readonly string[]> {
  return (await run(TABLES)).map(({ name }) => String(name))
}

/** A query of one row and one column: the fingerprint as JSON. */
export function fingerprintQuery(tables: readonly string[]): string {
  const each = tables.map((table) => {
    const name = `'${table.replaceAll("'", "''")}'`
    return `select ${name} as name, count(*) as rows,
      coalesce(sum(hash_record_extended(t, 0)::numeric), 0) as hash from ${table} t`
  })
  return `select jsonb_object_agg(name,
    jsonb_build_object('rows', rows::text, 'hash', hash::text)) as fingerprint
    from (${each.join('\nunion all ')}) as tables`
}

/** Tables in which two databases differ. */
export function listDifferences(a: Fingerprint, b: Fingerprint): readonly string[] {
  return Object.keys({ ...a, ...b })
    .filter((name) => a[name]?.rows !== b[name]?.rows || a[name]?.hash !== b[name]?.hash)
    .sort()
}
