import { migratePostgres } from '../store/migrate.ts'
import { openStore } from '../store/open-store.ts'
import { type Command, readArguments } from './arguments.ts'
import { readSettings } from './settings.ts'

export const command: Command = {
  summary: 'bring the database to the schema of this version',
  help: `Usage: countersign migrate [--data DIR]

Applies what is missing to the PostgreSQL database of DATABASE_URL, all of it or nothing.
Run it before the first start and after each update; running it again does nothing.
The embedded database needs no migration by hand: every start migrates it.
`,
  async run(args) {
    const { values } = readArguments(args, { data: { type: 'string' } } as const)
    const { database } = await readSettings(values)
    if (database.kind === 'embedded') {
      const store = await openStore(database)
      await store.close()
      process.stdout.write('The embedded database is current.\n')
      return 0
    }
    const applied = await migratePostgres(database.url)
    process.stdout.write(
      applied.length === 0
        ? 'The database is current.\n'
        : `Applied ${applied.length} migration(s): ${applied.join(', ')}\n`,
    )
    return 0
  },
}
