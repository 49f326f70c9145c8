import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { createStore } from '../../src/store/create-store.ts'
import { migrateEmbedded } from '../../src/store/system/migrate.ts'
import type { TestDatabase } from './test-database.ts'

/** An empty, migrated PostgreSQL in this process. */
export async function openEmbeddedDatabase(): Promise<TestDatabase> {
  const client = await openMigrated()
  const db = await migrateEmbedded(client)
  const close = () => client.close()
  return {
    store: createStore({ db, place: { kind: 'memory' }, close }),
    serve: (answer) => answer(),
    query: async (text) => (await client.query<Record<string, unknown>>(text)).rows,
    close,
  }
}

/** Making a database takes seconds and loading one does not: the first of a run is kept for the others. */
async function openMigrated(): Promise<PGlite> {
  const folder = process.env.TEST_RUN_DIR
  const kept = folder === undefined ? undefined : join(folder, 'database.tar')
  if (kept !== undefined && existsSync(kept)) {
    return PGlite.create({ loadDataDir: new Blob([readFileSync(kept)]) })
  }
  const client = await PGlite.create()
  await migrateEmbedded(client)
  if (kept !== undefined) {
    const dump = await client.dumpDataDir('none')
    writeFileSync(`${kept}.${process.pid}`, Buffer.from(await dump.arrayBuffer()))
    renameSync(`${kept}.${process.pid}`, kept)
  }
  return client
}
