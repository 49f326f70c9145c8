import { COMMAND } from '../../base/command.ts'
import { createRandomSource } from '../../base/random.ts'
import type { ClientKeys } from '../../oauth/client-keys.ts'
import { ROLE_NAMES, type Role, scopesOf } from '../../oauth/roles.ts'
import { createClient } from '../../operations/clients/create-client.ts'
import { disableClient } from '../../operations/clients/disable-client.ts'
import {
  type ClientRotationFailure,
  MAX_OVERLAP_MS,
  rotateClient,
} from '../../operations/clients/rotate-client.ts'
import { SCOPES, type Scope, type Store } from '../../store/store.ts'
import { EXIT, group, verb } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import {
  duration,
  option,
  preset,
  readDuration,
  repeated,
  required,
  text,
} from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { UsageError } from '../framework/usage-error.ts'
import { describeKeys, KEY_OPTIONS, keys, readKeyOptions, showKeys } from './keys.ts'
import { listClients } from './list.ts'

const CLIENT = required(
  text('CLIENT_ID', 'the client: cli_…'),
  `${COMMAND} clients list shows them`,
)

const LIFETIME = option('TIME', 'how long the secret counts, such as 90d', readLifetime)

export const command = group({
  about:
    'API clients are programs: identity providers that ask for decisions, tools of administrators.',
  verbs: {
    create: verb({
      summary: 'create a client and print its secret, which is not shown again',
      about: `Clients send id and secret by HTTP Basic, or get an access token with them (docs/oauth.md).
One that is created with keys has no secret: it signs an assertion, and gets an access token.
  access.evaluate  ask for decisions (AuthZEN)
  admin.read       see devices, attestations, policy and reference values
  admin.operate    look after devices: quarantine, release, admit, allow for a while, labels, links
  admin.author     preview and release documents, as far as the gates let one administrator
  admin.approve    be the second administrator of what somebody else has asked for
  admin.write      all of administration
  ssf.read         see its streams of security events, and poll them
  ssf.manage       make and change them
A role is the scopes of what people of that name do (docs/console.md).`,
      database: 'made',
      options: {
        name: required(text('NAME', 'what people call it')),
        scope: repeated(
          option('SCOPE', `what it may do, several by commas: ${SCOPES.join(', ')}`, readScopes),
        ),
        role: repeated(
          option(
            'ROLE',
            `the same by role, several by commas: ${ROLE_NAMES.join(', ')}`,
            readRoles,
          ),
        ),
        ...KEY_OPTIONS,
        lifetime: LIFETIME,
      },
      json: 'id and secret or keys, also under their names in OAuth (RFC 7591), name and scopes',
      run: ({ name, scope, role, lifetime, json, ...options }) => {
        const scopes = [...new Set([...scope.flat(), ...scopesOf(role.flat())])]
        if (scopes.length === 0) throw new UsageError('--scope or --role is missing')
        const given = readKeyOptions(options)
        if (given !== undefined && lifetime !== undefined) {
          throw new UsageError('--lifetime is of a secret, and a client with keys has none')
        }
        return (store) => create(store, { name, scopes, keys: given, lifetime, json })
      },
    }),
    list: verb({
      summary: 'list the clients, and when their secrets were last used',
      about:
        'A use is noted to the hour, a moment after it, and by services of this version or newer.',
      database: 'existing',
      options: {
        unused: duration('TIME', 'only active ones of which no use was noted for so long: 90d'),
      },
      json: 'the clients without their secrets, and when those were last used',
      run:
        ({ unused, json }) =>
        (store) =>
          listClients(store, { unusedMs: unused, json, now: new Date() }),
    }),
    rotate: verb({
      summary: 'give a client another secret and print it; the old one counts for a while',
      about: `Hand the new secret out within the overlap; 'clients list' shows when the old one was last used.
If somebody else may have the old secret, say --overlap 0s: then it has ended, any before it, and
the access tokens of the client. Else a token that was got with it counts to its end.
A secret with an end is followed by one that counts as long, unless --lifetime says otherwise.`,
      database: 'existing',
      arguments: { id: CLIENT },
      options: {
        overlap: preset(
          option('TIME', 'how long the old secret counts too, at most 30d', readOverlap),
          '24h',
        ),
        lifetime: LIFETIME,
      },
      json: 'id and new secret, also under their names in OAuth, and until when the old one counts',
      exits: { refused: 'the last rotation is not over' },
      run: (values) => (store) => rotate(store, values),
    }),
    keys,
    disable: verb({
      summary: 'end what a client may do',
      database: 'existing',
      arguments: { id: CLIENT },
      json: 'the id of the client, and whether it was changed',
      run: (values) => (store) => disable(store, values),
    }),
  },
})

/** A secret may be meant for a pipeline of today, and none is meant for ever by whoever says how long. */
const MAX_LIFETIME_MS = 3650 * 86_400_000

function readLifetime(text: string, label: string): number {
  const ms = readDuration(text, label)
  if (ms === 0 || ms > MAX_LIFETIME_MS) throw new UsageError(`${label} is from 1s to 3650d`)
  return ms
}

function readOverlap(text: string, label: string): number {
  const ms = readDuration(text, label)
  if (ms > MAX_OVERLAP_MS) throw new UsageError(`${label} is 30d at most, not '${text}'`)
  return ms
}

function readScopes(text: string, label: string): readonly Scope[] {
  const names = text.split(/[\s,]+/).filter((name) => name !== '')
  return names.map((name) => {
    const scope = SCOPES.find((one) => one === name)
    if (scope === undefined) throw new UsageError(`${label} must be of: ${SCOPES.join(', ')}`)
    return scope
  })
}

function readRoles(text: string, label: string): readonly Role[] {
  const names = text.split(/[\s,]+/).filter((name) => name !== '')
  return names.map((name) => {
    const role = ROLE_NAMES.find((one) => one === name)
    if (role === undefined) throw new UsageError(`${label} must be of: ${ROLE_NAMES.join(', ')}`)
    return role
  })
}

async function create(
  store: Store,
  client: {
    readonly name: string
    readonly scopes: readonly Scope[]
    readonly keys: ClientKeys | undefined
    /** Of its secret, in milliseconds; for ever without it. */
    readonly lifetime: number | undefined
    readonly json: boolean
  },
): Promise<number> {
  const { name, scopes, keys: given, lifetime, json } = client
  const now = new Date()
  const secretExpiresAt = lifetime === undefined ? undefined : new Date(now.getTime() + lifetime)
  const created = { name, scopes, keys: given, secretExpiresAt, by: COMMAND_LINE, now }
  const { clientId, secret } = await createClient({ store, random: createRandomSource() }, created)
  if (given !== undefined) {
    const shown = `Client  ${clientId}\nKeys    ${describeKeys(given)}\nScopes  ${scopes.join(', ')}\n`
    if (json) {
      printJson({ id: clientId, name, scopes, client_id: clientId, ...showKeys(given) })
    } else printText(shown)
  } else if (json) {
    const oauth = { client_id: clientId, client_secret: secret }
    const expires_at = secretExpiresAt ?? null
    printJson({ id: clientId, secret, expires_at, name, scopes, ...oauth })
  } else {
    const head = `Client  ${clientId}\nSecret  ${secret}\nScopes  ${scopes.join(', ')}\n`
    printText(`${head}\nThe secret is not shown again.${describeEnd(secretExpiresAt ?? null)}\n`)
  }
  return EXIT.done
}

async function rotate(
  store: Store,
  {
    id,
    overlap,
    lifetime,
    json,
  }: {
    readonly id: string
    readonly overlap: number
    readonly lifetime: number | undefined
    readonly json: boolean
  },
): Promise<number> {
  const by = COMMAND_LINE
  const change = { clientId: id, overlapMs: overlap, lifetimeMs: lifetime, by, now: new Date() }
  const rotated = await rotateClient({ store, random: createRandomSource() }, change)
  if (!rotated.ok) return refuseRotation(id, rotated.failure)
  const { secret, previousUntil, expiresAt } = rotated.value
  if (json) {
    const oauth = { client_id: id, client_secret: secret }
    printJson({ id, secret, expires_at: expiresAt, previous_until: previousUntil, ...oauth })
    return EXIT.done
  }
  const old =
    overlap === 0
      ? 'The old one has ended; running services notice within seconds.'
      : `The old one counts until ${previousUntil.toISOString()}; when it was last used:
  ${COMMAND} clients list`
  printText(
    `Client  ${id}\nSecret  ${secret}\n\nThe secret is not shown again.${describeEnd(expiresAt)} ${old}\n`,
  )
  return EXIT.done
}

function describeEnd(expiresAt: Date | null): string {
  return expiresAt === null ? '' : ` It counts until ${expiresAt.toISOString()}.`
}

function refuseRotation(id: string, { reason }: ClientRotationFailure): number {
  switch (reason) {
    case 'client_to_rotate_not_found':
      throw new Error(`there is no client ${id}: ${COMMAND} clients list`)
    case 'client_to_rotate_disabled':
      throw new Error(`${id} is disabled: make another one (${COMMAND} clients create)`)
    case 'client_to_rotate_has_keys':
      throw new Error(`${id} has keys, and no secret: ${COMMAND} clients keys ${id} --help`)
    case 'client_rotation_under_way':
      process.stderr.write(`Not now: two secrets of ${id} count already (${COMMAND} clients list).
Wait until the older one has ended, or end both at once: --overlap 0s\n`)
      return EXIT.refused
  }
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
