import { plural } from '../../base/words.ts'
import { type MigrationStep, migratePostgres } from '../../store/system/migrate.ts'
import { grantService, SERVICE_ROLE } from '../../store/system/service-role.ts'
import { EXIT, verb } from '../framework/command.ts'
import { explainFault } from '../framework/explain-fault.ts'
import { printable, printJson, printText } from '../framework/output.ts'
import { readSettings } from '../framework/settings.ts'

export const command = verb({
  about: `Applies what is missing to the PostgreSQL database of DATABASE_URL, while processes of the version
before go on. Run it before the first start and after each update. It may be ended anywhere:
run again it goes on, and does nothing when all is done. DATABASE_URL should name the server
itself: through a pooler nobody can write while indexes are built.
Run as the owner of the tables it also makes the role ${SERVICE_ROLE}, which has what the
service needs and cannot change or remove entries of the audit log: docs/audit.md says how to have
the service sign in with it.
The embedded database needs no migration by hand, as every start migrates it, and has no roles.`,
  database: 'made',
  json: 'the names of the migrations that were applied, and the role for the service, if there is one',
  async run({ json, data }) {
    const config = await readSettings({ data })
    const { database } = config
    if (database.kind === 'embedded') {
      return async () => {
        if (json) printJson({ applied: [], service_role: null })
        else printText(`The embedded database in ${database.dataDir} is current.\n`)
        return EXIT.done
      }
    }
    const applied = await migratePostgres(database.url, createTeller()).catch((error) => {
      throw explainFault(error, config)
    })
    const isGranted = await grantService(database.url).catch((error) => {
      throw explainFault(error, config)
    })
    if (!isGranted) process.stderr.write(NO_ROLE)
    if (json) printJson({ applied, service_role: isGranted ? SERVICE_ROLE : null })
    else if (applied.length === 0) printText('The database is current.\n')
    else printText(`Applied ${plural(applied.length, 'migration')}: ${applied.join(', ')}\n`)
    return EXIT.done
  },
})

const NO_ROLE = `The role ${SERVICE_ROLE} was not made, as this one may not make roles. The service can go on as the
owner of its tables. To have it sign in as somebody who cannot change the audit log, have an administrator
of the server run: create role ${SERVICE_ROLE} nologin. Then run this again.
`

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
