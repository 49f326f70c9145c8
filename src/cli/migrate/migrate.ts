import { plural } from '../../base/words.ts'
import { migratePostgres } from '../../store/system/migrate.ts'
import { EXIT, verb } from '../framework/command.ts'
import { explainFault } from '../framework/explain-fault.ts'
import { printJson, printText } from '../framework/output.ts'
import { readSettings } from '../framework/settings.ts'

export const command = verb({
  about: `Applies what is missing to the PostgreSQL database of DATABASE_URL, all of it or nothing.
Run it before the first start and after each update; running it again does nothing.
The embedded database needs no migration by hand, as every start migrates it.`,
  database: 'made',
  json: 'the names of the migrations that were applied',
  async run({ json, data }) {
    const config = await readSettings({ data })
    const { database } = config
    if (database.kind === 'embedded') {
      return async () => {
        if (json) printJson({ applied: [] })
        else printText(`The embedded database in ${database.dataDir} is current.\n`)
        return EXIT.done
      }
    }
    const applied = await migratePostgres(database.url, tellBlocked).catch((error) => {
      throw explainFault(error, config)
    })
    if (json) printJson({ applied })
    else if (applied.length === 0) printText('The database is current.\n')
    else printText(`Applied ${plural(applied.length, 'migration')}: ${applied.join(', ')}\n`)
    return EXIT.done
  },
})

/** Those who come after it are let pass meanwhile, so it may go on for a while. */
function tellBlocked(): void {
  process.stderr.write('Another session holds a table that a migration needs. Trying again …\n')
}
