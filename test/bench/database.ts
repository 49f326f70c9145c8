import pg from 'pg'
import { migratePostgres } from '../../src/store/system/migrate.ts'
import { startPostgres } from '../support/postgres.ts'

/** An empty, migrated database for one run of the benchmarks. */
export type BenchDatabase = {
  readonly url: string
  readonly version: string
  readonly execute: (text: string) => Promise<void>
  readonly close: () => Promise<void>
}

const NAME = `countersign_bench_${process.pid}`

/** In the server of `BENCH_DATABASE_URL`, where nothing that exists is touched, or in one of our own. */
export async function openBenchDatabase(): Promise<BenchDatabase> {
  const given = process.env.BENCH_DATABASE_URL
  const server = given === undefined ? await startPostgres() : undefined
  const serverUrl = given ?? server?.url ?? ''
  await query(serverUrl, `create database ${NAME}`)
  const url = Object.assign(new URL(serverUrl), { pathname: `/${NAME}` }).toString()
  await migratePostgres(url)
  return {
    url,
    version: await query(serverUrl, 'show server_version'),
    async execute(text) {
      await query(url, text)
    },
    async close() {
      if (server === undefined) await query(serverUrl, `drop database ${NAME} with (force)`)
      await server?.stop()
    },
  }
}

/** The first column of the first row as text. */
async function query(url: string, text: string): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<string[]>({ text, rowMode: 'array' })
    return String(rows?.[0]?.[0])
  } finally {
    await client.end()
  }
}
