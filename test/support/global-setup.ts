import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { FORGETFUL, MIGRATED, startPostgres } from './postgres.ts'
import { NO_POSTGRES, POSTGRES_BINARIES } from './postgres-binaries.ts'
import { makeRunFolder } from './run-folder.ts'
import type { TestPostgres } from './test-database.ts'

/** What all files of one run share: a folder and a PostgreSQL server, gone after it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = makeRunFolder()
  process.env.TEST_RUN_DIR = folder
  process.env.TMPDIR = folder
  process.env.SEEN_REASONS_DIR = join(folder, 'reasons')
  // What one process has compiled, the others of a run need not.
  process.env.NODE_COMPILE_CACHE ??= join(folder, 'compiled')
  const postgres = await startServer()
  project.provide('postgres', postgres?.place)
  return async () => {
    await postgres?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function startServer() {
  if (POSTGRES_BINARIES === undefined) {
    if (process.env.CI) throw new Error(NO_POSTGRES)
    return undefined
  }
  const server = await startPostgres({ settings: { ...FORGETFUL, max_connections: '200' } })
  const place: TestPostgres = { url: server.url, template: MIGRATED }
  return { place, stop: server.stop }
}
