import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = '/usr/lib/postgresql'

/** Where Debian keeps the programs of the newest installed version; `undefined` if there is none. */
export const POSTGRES_BINARIES: string | undefined = findBinaries()

export const NO_POSTGRES = `no PostgreSQL in ${ROOT} (Debian package postgresql)`

function findBinaries(): string | undefined {
  if ((process.env.TESTS_WITHOUT ?? '').split(',').includes('postgres')) return undefined
  const versions = existsSync(ROOT)
    ? readdirSync(ROOT)
        .map(Number)
        .sort((a, b) => b - a)
    : []
  return versions
    .map((version) => join(ROOT, String(version), 'bin'))
    .find((path) => existsSync(join(path, 'initdb')))
}
