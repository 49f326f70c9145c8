import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Postgres } from '../support/postgres.ts'
import { POSTGRES_BINARIES } from '../support/postgres-binaries.ts'

/** What was made by the code of the version before (`make-fixture.sh`). */
export const FIXTURE = resolve('test/upgrade/before-0.2')

/** A new database with what `pg_dump` made of one of the version before, restored by `psql`. */
export async function restoreBefore(server: Postgres, name: string): Promise<string> {
  const url = await server.createDatabase(name)
  const input = gunzipSync(readFileSync(join(FIXTURE, 'postgres.sql.gz')))
  const psql = join(POSTGRES_BINARIES ?? '', 'psql')
  execFileSync(psql, ['-qX', '-v', 'ON_ERROR_STOP=1', url], { input, stdio: 'pipe' })
  return url
}
