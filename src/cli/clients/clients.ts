import { toBase64Url } from '../../base/encoding.ts'
import { CLIENT_SECRET_BYTES, hashClientSecret, newClientSecret } from '../../keys/client-secret.ts'
import { SCOPES, type Scope, type Store } from '../../store/store.ts'
import { type Command, readArguments, UsageError } from '../framework/arguments.ts'
import { COMMAND_LINE, withDatabase } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { DATA_OPTION, readSettings } from '../framework/settings.ts'
import { renderTable } from '../framework/table.ts'

const OPTIONS = {
  name: { type: 'string' },
  scope: { type: 'string', multiple: true },
  json: { type: 'boolean', default: false },
  ...DATA_OPTION,
} as const

export const command: Command = {
  options: OPTIONS,
  help: `Usage: countersign clients create --name NAME --scope SCOPE [--scope SCOPE …] [--json]
       countersign clients list [--json]
       countersign clients disable CLIENT_ID

  --name NAME    what people call it
  --scope SCOPE  what it may do; several: repeat it, or separate them by commas
                 access.evaluate  ask for decisions (AuthZEN)
                 admin.read       see devices, attestations, policy and reference values
                 admin.write      change them
  --data DIR     the data directory of the embedded database (DATA_DIR; ./data); works while the
                 service runs on it. DATABASE_URL uses PostgreSQL.
  --json         print JSON

The secret is shown once, when the client is created. Clients send id and secret by HTTP Basic.
`,
  async run(args) {
    const { values, positionals } = readArguments(args, OPTIONS, 2)
    const [verb, id] = positionals
    const prepare = verb !== undefined && Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined
    if (prepare === undefined) throw new UsageError(`say ${Object.keys(VERBS).join(', ')}`)
    const perform = prepare({ ...values, id })
    const config = await readSettings(values)
    return withDatabase(config, { mayCreate: verb === 'create' }, perform)
  },
}

type Values = {
  readonly name?: string | undefined
  readonly scope?: string[] | undefined
  readonly json: boolean
  readonly id: string | undefined
}

type Perform = (store: Store) => Promise<number>

/** Each looks at its arguments before the database is opened. */
const VERBS: Readonly<Record<string, (values: Values) => Perform>> = { create, list, disable }

function create({ name = '', scope, json, id }: Values): Perform {
  if (id !== undefined) throw new UsageError(`'${id}' is one argument too many`)
  if (name.trim() === '') throw new UsageError('--name is missing')
  const scopes = readScopes(scope)
  return async (store) => {
    const clientId = `cli_${toBase64Url(crypto.getRandomValues(new Uint8Array(12)))}`
    const secret = newClientSecret(crypto.getRandomValues(new Uint8Array(CLIENT_SECRET_BYTES)))
    const secretHash = hashClientSecret(secret)
    await store.createClient({
      clientId,
      name,
      secretHash,
      scopes,
      by: COMMAND_LINE,
      now: new Date(),
    })
    if (json) {
      // Under their names in OAuth too (RFC 7591), for tools that take them from there.
      const oauth = { client_id: clientId, client_secret: secret }
      printJson({ id: clientId, secret, name, scopes, ...oauth })
    } else {
      const head = `Client  ${clientId}\nSecret  ${secret}\nScopes  ${scopes.join(', ')}\n`
      printText(`${head}\nThe secret is not shown again.\n`)
    }
    return 0
  }
}

function readScopes(given: readonly string[] | undefined): Scope[] {
  const names = (given ?? []).flatMap((text) => text.split(/[\s,]+/)).filter((name) => name !== '')
  const scopes = names.map((name) => SCOPES.find((scope) => scope === name))
  const known = scopes.filter((scope) => scope !== undefined)
  if (known.length === 0 || known.length < names.length) {
    throw new UsageError(`--scope must be of: ${SCOPES.join(', ')}`)
  }
  return [...new Set(known)]
}

function list({ json, id }: Values): Perform {
  if (id !== undefined) throw new UsageError(`'${id}' is one argument too many`)
  return async (store) => {
    const clients = await store.listClients()
    if (json) {
      printJson(
        clients.map(({ clientId, name, scopes, createdAt, disabledAt }) => ({
          client_id: clientId,
          name,
          scopes,
          created_at: createdAt,
          disabled_at: disabledAt,
        })),
      )
      return 0
    }
    if (clients.length === 0) {
      printText('There are no clients. Make one: countersign clients create --help\n')
      return 0
    }
    const rows = clients.map(({ clientId, name, scopes, disabledAt }) => [
      clientId,
      name,
      scopes.join(' '),
      disabledAt === null ? 'active' : `disabled ${disabledAt.toISOString()}`,
    ])
    printText(`${renderTable(['client', 'name', 'scopes', 'state'], rows)}\n`)
    return 0
  }
}

function disable({ id }: Values): Perform {
  if (id === undefined) throw new UsageError('say which client: countersign clients list')
  return async (store) => {
    const answer = await store.disableClient({ clientId: id, by: COMMAND_LINE, now: new Date() })
    if (answer === 'client_unknown') throw new Error(`there is no client ${id}`)
    printText(
      answer === 'applied'
        ? `${id} is disabled; running services notice within seconds.\n`
        : `${id} was disabled already.\n`,
    )
    return 0
  }
}
