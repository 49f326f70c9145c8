import { plural } from '../../base/words.ts'
import { type MigrationStep, migratePostgres } from '../../store/system/migrate.ts'
import { EXIT, verb } from '../framework/command.ts'
import { explainFault } from '../framework/explain-fault.ts'
import { printable, printJson, printText } from '../framework/output.ts'
import { readSettings } from '../framework/settings.ts'

export const command = verb({
  about: `Applies what is missing to the PostgreSQL database of DATABASE_URL, while processes of the version
before go on. Run it before the first start and after each update. It may be ended anywhere:
run again it goes on, and does nothing when all is done. DATABASE_URL should name the server
itself: through a pooler nobody can write while indexes are built.
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
    const applied = await migratePostgres(database.url, createTeller()).catch((error) => {
      throw explainFault(error, config)
    })
    if (json) printJson({ applied })
    else if (applied.length === 0) printText('The database is current.\n')
    else printText(`Applied ${plural(applied.length, 'migration')}: ${applied.join(', ')}\n`)
    return EXIT.done
  },
})

/** Each thing once, however often it happens; of indexes each. */
function createTeller(): (step: MigrationStep) => void {
  const told = new Set<string>()
  return (step) => {
    const text = describeStep(step)
    if (!told.has(text)) process.stderr.write(`${text}\n`)
    told.add(text)
  }
}

function describeStep(step: MigrationStep): string {
  switch (step.kind) {
    case 'waiting':
      return 'Another migration is under way. Waiting for it …'
    case 'blocked':
      return 'Another session holds a table that a migration needs. Trying again …'
    case 'old_transaction':
      return `Waiting for the transaction of process ${step.pid} (${printable(step.name)}), open since ${step.since.toISOString()}: no index is done before it
has ended. A service starts meanwhile. To end it: select pg_terminate_backend(${step.pid})`
    case 'index':
      return `Building index ${step.number} of ${step.total} (${step.name}); everybody reads and writes meanwhile …`
    case 'pooled':
      return `Building ${plural(step.indexes, 'index', 'indexes')} through a pooler: nobody can write until that is done. Ended now (Ctrl-C) it undoes
everything; with DATABASE_URL naming the server itself it would disturb nobody.`
  }
}
