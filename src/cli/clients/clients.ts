import { COMMAND } from '../../base/command.ts'
import { createRandomSource } from '../../base/random.ts'
import { createClient } from '../../operations/clients/create-client.ts'
import { disableClient } from '../../operations/clients/disable-client.ts'
import { SCOPES, type Scope, type Store } from '../../store/store.ts'
import { EXIT, group, verb } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { option, repeated, required, text } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'
import { UsageError } from '../framework/usage-error.ts'

export const command = group({
  about:
    'API clients are programs: identity providers that ask for decisions, tools of administrators.',
  verbs: {
    create: verb({
      summary: 'create a client and print its secret, which is not shown again',
      about: `Clients send id and secret by HTTP Basic.
  access.evaluate  ask for decisions (AuthZEN)
  admin.read       see devices, attestations, policy and reference values
  admin.write      change them`,
      database: 'made',
      options: {
        name: required(text('NAME', 'what people call it')),
        scope: repeated(
          required(
            option('SCOPE', `what it may do, several by commas: ${SCOPES.join(', ')}`, readScopes),
          ),
        ),
      },
      json: 'id and secret, also under their names in OAuth (RFC 7591), name and scopes',
      run: ({ name, scope, json }) => {
        const scopes = [...new Set(scope.flat())]
        return (store) => create(store, { name, scopes, json })
      },
    }),
    list: verb({
      summary: 'list the clients',
      database: 'existing',
      json: 'the clients without their secrets',
      run:
        ({ json }) =>
        (store) =>
          list(store, json),
    }),
    disable: verb({
      summary: 'end what a client may do',
      database: 'existing',
      arguments: {
        id: required(text('CLIENT_ID', 'the client: cli_…'), `${COMMAND} clients list shows them`),
      },
      json: 'the id of the client, and whether it was changed',
      run: (values) => (store) => disable(store, values),
    }),
  },
})

function readScopes(text: string, label: string): readonly Scope[] {
  const names = text.split(/[\s,]+/).filter((name) => name !== '')
  return names.map((name) => {
    const scope = SCOPES.find((one) => one === name)
    if (scope === undefined) throw new UsageError(`${label} must be of: ${SCOPES.join(', ')}`)
    return scope
  })
}

async function create(
  store: Store,
  client: { readonly name: string; readonly scopes: readonly Scope[]; readonly json: boolean },
): Promise<number> {
  const { name, scopes, json } = client
  const created = { name, scopes, by: COMMAND_LINE, now: new Date() }
  const { clientId, secret } = await createClient({ store, random: createRandomSource() }, created)
  if (json) {
    const oauth = { client_id: clientId, client_secret: secret }
    printJson({ id: clientId, secret, name, scopes, ...oauth })
  } else {
    const head = `Client  ${clientId}\nSecret  ${secret}\nScopes  ${scopes.join(', ')}\n`
    printText(`${head}\nThe secret is not shown again.\n`)
  }
  return EXIT.done
}

async function list(store: Store, json: boolean): Promise<number> {
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
  } else if (clients.length === 0) {
    printText(`There are no clients. To make one: ${COMMAND} clients create --help\n`)
  } else {
    const rows = clients.map(({ clientId, name, scopes, disabledAt }) => [
      clientId,
      name,
      scopes.join(' '),
      disabledAt === null ? 'active' : `disabled ${disabledAt.toISOString()}`,
    ])
    printText(`${renderTable(['client', 'name', 'scopes', 'state'], rows)}\n`)
  }
  return EXIT.done
}

async function disable(
  store: Store,
  { id, json }: { readonly id: string; readonly json: boolean },
): Promise<number> {
  const change = { clientId: id, by: COMMAND_LINE, now: new Date() }
  const disabled = await disableClient(store, change)
  if (!disabled.ok) throw new Error(`there is no client ${id}: ${COMMAND} clients list`)
  const { changed } = disabled.value
  if (json) printJson({ client_id: id, changed })
  else if (changed) printText(`${id} is disabled; running services notice within seconds.\n`)
  else printText(`${id} was disabled already.\n`)
  return EXIT.done
}
