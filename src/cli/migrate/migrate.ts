import { migratePostgres } from '../../store/system/migrate.ts'
import { type Command, readArguments } from '../framework/arguments.ts'
import { explainFault } from '../framework/explain-fault.ts'
import { withDatabase } from '../framework/open-database.ts'
import { DATA_OPTION, readSettings } from '../framework/settings.ts'

export const command: Command = {
  options: DATA_OPTION,
  help: `Usage: countersign migrate [--data DIR]

Applies what is missing to the PostgreSQL database of DATABASE_URL, all of it or nothing.
Run it before the first start and after each update; running it again does nothing.

  --data DIR   without DATABASE_URL: the data directory of the embedded database (DATA_DIR; ./data).
               It needs no migration by hand, as every start migrates it.
`,
  async run(args) {
    const { values } = readArguments(args, DATA_OPTION)
    const config = await readSettings(values)
    const { database } = config
    if (database.kind === 'embedded') {
      return withDatabase(config, { mayCreate: true }, async () => {
        process.stdout.write(`The embedded database in ${database.dataDir} is current.\n`)
        return 0
      })
    }
    const applied = await migratePostgres(database.url).catch((error) => {
      throw explainFault(error, config)
    })
    process.stdout.write(
      applied.length === 0
        ? 'The database is current.\n'
        : `Applied ${applied.length} migration(s): ${applied.join(', ')}\n`,
    )
    return 0
  },
}
