import { getTableName, is } from 'drizzle-orm'
import { PgTable } from 'drizzle-orm/pg-core'
import pg from 'pg'
import { codeOf } from '../../base/error-code.ts'
import * as auditTables from '../schema/audit-schema.ts'
import * as devices from '../schema/device-schema.ts'
import * as directory from '../schema/directory-schema.ts'
import * as people from '../schema/people-schema.ts'
import * as signIns from '../schema/sign-in-schema.ts'
import * as signals from '../schema/signal-schema.ts'
import * as statuses from '../schema/status-list-schema.ts'
import * as steering from '../schema/steering-schema.ts'
import * as system from '../schema/system-schema.ts'

/** The role that has what the service needs of its database: to be granted to whatever role it signs in as. */
export const SERVICE_ROLE = 'countersign_service'

const TABLES = [devices, directory, people, signIns, signals, statuses, steering, system]
  .flatMap((schema) => Object.values<unknown>(schema))
  .filter((one) => is(one, PgTable))
  .map((table) => getTableName(table))

/** Written by functions alone, which have the rights of their owner. */
const AUDIT_TREE = Object.values<unknown>(auditTables)
  .filter((one) => is(one, PgTable))
  .map((table) => getTableName(table))

/** They work with the rights of their owner, and nobody else may call them. */
const OWNERS_FUNCTIONS = [
  'append_audit_log',
  'adopt_audit_rows',
  'keep_partitions',
  'clear_default_partition',
]

/** SQLSTATE `duplicate_object`, and `unique_violation` where two make it at once. */
const EXISTS = ['42710', '23505']
/** SQLSTATE `insufficient_privilege`. */
const REFUSED = '42501'

/**
 * Makes `countersign_service`, if it is not there, and grants it what the service needs: of the audit log to
 * read it and to add to it, and no more; no table is its own. To be called by the owner of the tables after
 * each migration. `false` where the role is not there and may not be made: then nothing was granted.
 */
export async function grantService(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, application_name: 'countersign migration' })
  client.on('error', () => {})
  await client.connect()
  try {
    if (!(await makeRole(client))) return false
    await client.query('begin')
    for (const statement of await listGrants(client)) await client.query(statement)
    await client.query('commit')
    return true
  } finally {
    await client.end().catch(() => {})
  }
}

async function makeRole(client: pg.Client): Promise<boolean> {
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [SERVICE_ROLE])
  if (rowCount === 1) return true
  try {
    await client.query(`create role ${SERVICE_ROLE} nologin`)
    return true
  } catch (error) {
    const code = String(codeOf(error))
    if (code === REFUSED) return false
    if (EXISTS.includes(code)) return true
    throw error
  }
}

async function listGrants(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select i.inhrelid::regclass::text as name from pg_inherits i where i.inhparent = 'audit'::regclass`,
  )
  const all = 'select, insert, update, delete'
  return [
    // Whatever it had before.
    `revoke all on ${['audit', ...AUDIT_TREE, ...rows.map(({ name }) => name)].join()} from ${SERVICE_ROLE}`,
    `grant usage on schema public, drizzle to ${SERVICE_ROLE}`,
    `grant select on drizzle.__drizzle_migrations to ${SERVICE_ROLE}`,
    `grant ${all} on ${TABLES.filter((name) => name !== 'audit').join()} to ${SERVICE_ROLE}`,
    `grant select, insert on audit to ${SERVICE_ROLE}`,
    `grant select on ${AUDIT_TREE.join()} to ${SERVICE_ROLE}`,
    `grant execute on function ${OWNERS_FUNCTIONS.join()} to ${SERVICE_ROLE}`,
  ]
}
