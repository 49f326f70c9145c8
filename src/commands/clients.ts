import { toBase64Url } from '../encoding.ts'
import { CLIENT_SECRET_BYTES, hashClientSecret, newClientSecret } from '../keys/client-secret.ts'
import { openStore } from '../store/open-store.ts'
import { SCOPES, type Scope, type Store } from '../store/store.ts'
import { type Command, readArguments, UsageError } from './arguments.ts'
import { readSettings } from './settings.ts'
import { renderTable } from './table.ts'

const OPTIONS = {
  name: { type: 'string' },
  scope: { type: 'string', multiple: true },
  data: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

/** Who the audit log names for changes made on this machine. */
const BY = 'command line'

export const command: Command = {
  summary: 'create, list or disable API clients',
  help: `Usage: countersign clients create --name NAME --scope SCOPE [--scope SCOPE …] [--json]
       countersign clients list [--json]
       countersign clients disable CLIENT_ID

Scopes: ${SCOPES.join(', ')} (several: repeat --scope, or separate by commas)
  --data DIR   the data directory of the embedded database (DATA_DIR; ./data); works while the
               service runs on it. DATABASE_URL uses PostgreSQL.

The secret is shown once, when the client is created. Clients send id and secret by HTTP Basic.
`,
  async run(args) {
    const { values, positionals } = readArguments(args, OPTIONS)
    const [verb, id] = positionals
    const { database } = await readSettings(values)
    const perform = { create, list, disable }[verb ?? '']
    if (perform === undefined) throw new UsageError('say create, list or disable')
    if (verb === 'create') readScopes(values.scope)
    const store = await openStore(database)
    try {
      return await perform(store, { ...values, id })
    } finally {
      await store.close()
    }
  },
}

type Values = {
  readonly name?: string | undefined
  readonly scope?: string[] | undefined
  readonly json: boolean
  readonly id: string | undefined
}

async function create(store: Store, values: Values): Promise<number> {
  const { name } = values
  if (name === undefined || name.trim() === '') throw new UsageError('--name is missing')
  const scopes = readScopes(values.scope)
  const clientId = `cli_${toBase64Url(crypto.getRandomValues(new Uint8Array(12)))}`
  const secret = newClientSecret(crypto.getRandomValues(new Uint8Array(CLIENT_SECRET_BYTES)))
  await store.createClient({
    clientId,
    name,
    secretHash: hashClientSecret(secret),
    scopes,
    by: BY,
    now: new Date(),
  })
  if (values.json) {
    const created = { client_id: clientId, client_secret: secret, name, scopes }
    process.stdout.write(`${JSON.stringify(created)}\n`)
  } else {
    process.stdout.write(
      `Client  ${clientId}\nSecret  ${secret}\nScopes  ${scopes.join(', ')}\n\nThe secret is not shown again.\n`,
    )
  }
  return 0
}

function readScopes(given: readonly string[] | undefined): Scope[] {
  const names = (given ?? []).flatMap((text) => text.split(/[\s,]+/)).filter((name) => name !== '')
  const scopes = names.map((name) => SCOPES.find((scope) => scope === name))
  const known = scopes.filter((scope) => scope !== undefined)
  if (known.length === 0 || known.length < names.length) {
    throw new UsageError(`--scope must be of ${SCOPES.join(', ')}`)
  }
  return [...new Set(known)]
}

async function list(store: Store, { json }: Values): Promise<number> {
  const clients = await store.listClients()
  if (json) {
    const shown = clients.map((client) => ({
      client_id: client.clientId,
      name: client.name,
      scopes: client.scopes,
      created_at: client.createdAt,
      disabled_at: client.disabledAt,
    }))
    process.stdout.write(`${JSON.stringify(shown)}\n`)
    return 0
  }
  if (clients.length === 0) {
    process.stdout.write('There are no clients. Make one: countersign clients create --help\n')
    return 0
  }
  const rows = clients.map((client) => [
    client.clientId,
    client.name,
    client.scopes.join(' '),
    client.disabledAt === null ? 'active' : `disabled ${client.disabledAt.toISOString()}`,
  ])
  process.stdout.write(`${renderTable(['client', 'name', 'scopes', 'state'], rows)}\n`)
  return 0
}

async function disable(store: Store, { id }: Values): Promise<number> {
  if (id === undefined) throw new UsageError('say which client')
  const answer = await store.disableClient({ clientId: id, by: BY, now: new Date() })
  if (answer === 'client_unknown') throw new UsageError(`there is no client ${id}`)
  process.stdout.write(`${id} is disabled; running services notice within seconds.\n`)
  return 0
}
