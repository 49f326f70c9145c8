import { COMMAND } from '../../base/command.ts'
import {
  type ClientKeys,
  type ClientKeysFailure,
  readClientKeySet,
  readClientKeySetUrl,
} from '../../oauth/client-keys.ts'
import { type ClientRekeyFailure, setClientKeys } from '../../operations/clients/set-client-keys.ts'
import type { Store } from '../../store/store.ts'
import { EXIT, verb } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { flag, required, text } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { readTextFile } from '../framework/read-file.ts'
import { UsageError } from '../framework/usage-error.ts'

/** The two ways in which a client can have keys. */
export const KEY_OPTIONS = {
  jwks: text(
    'FILE',
    'public keys of the client, a JWK set: it proves itself by them (private_key_jwt)',
  ),
  jwksUrl: text('URL', 'the same, fetched from this https URL whenever it is needed'),
}

/** The keys that the options name; `undefined` where none does. */
export function readKeyOptions(options: {
  readonly jwks: string | undefined
  readonly jwksUrl: string | undefined
}): ClientKeys | undefined {
  const { jwks, jwksUrl } = options
  if (jwks !== undefined && jwksUrl !== undefined) {
    throw new UsageError('give --jwks or --jwks-url, and not both')
  }
  if (jwks === undefined && jwksUrl === undefined) return undefined
  const read =
    jwks === undefined ? readClientKeySetUrl(jwksUrl ?? '') : readClientKeySet(readTextFile(jwks))
  if (read.ok) return read.value
  throw new UsageError(describeFailure(read.failure, jwks ?? jwksUrl ?? ''))
}

/** What people are shown of a client's keys. */
export function describeKeys(keys: ClientKeys): string {
  if (keys.kind === 'url') return keys.url
  const names = keys.jwks.keys.map(({ kid, kty }) => kid ?? `${kty} without kid`)
  return names.join(' ')
}

export const keys = verb({
  summary: 'give a client other keys in place of those that it has',
  about: `Let the new set hold the old key too while the client still signs with it. If somebody else may
have a key, leave it out and say --end-tokens: then the client's access tokens end as well.`,
  database: 'existing',
  arguments: {
    id: required(text('CLIENT_ID', 'the client: cli_…'), `${COMMAND} clients list shows them`),
  },
  options: { ...KEY_OPTIONS, endTokens: flag('end the access tokens of the client at once') },
  json: 'the id of the client and its keys',
  run: (values) => {
    const given = readKeyOptions(values)
    if (given === undefined) throw new UsageError('--jwks or --jwks-url is missing')
    return (store) => change(store, { ...values, given })
  },
})

async function change(
  store: Pick<Store, 'setClientKeys'>,
  asked: {
    readonly id: string
    readonly given: ClientKeys
    readonly endTokens: boolean
    readonly json: boolean
  },
): Promise<number> {
  const { id, given, endTokens, json } = asked
  const now = new Date()
  const changed = await setClientKeys(store, {
    ...{ clientId: id, keys: given, endTokens, by: COMMAND_LINE, now },
  })
  if (!changed.ok) throw new Error(WHY[changed.failure.reason](id))
  if (json) printJson({ client_id: id, ...showKeys(given) })
  else
    printText(
      `Client  ${id}\nKeys    ${describeKeys(given)}\n\nRunning services notice within seconds.\n`,
    )
  return EXIT.done
}

/** As OAuth names them. RFC 7591 §2 */
export function showKeys(keys: ClientKeys): object {
  return keys.kind === 'url' ? { jwks_uri: keys.url } : { jwks: keys.jwks }
}

const WHY: Readonly<Record<ClientRekeyFailure['reason'], (id: string) => string>> = {
  client_to_rekey_not_found: (id) => `there is no client ${id}: ${COMMAND} clients list`,
  client_to_rekey_disabled: (id) =>
    `${id} is disabled: make another one (${COMMAND} clients create)`,
  client_to_rekey_has_secret: (id) =>
    `${id} has a secret, and no keys: make one with keys (${COMMAND} clients create --jwks), and disable this one`,
}

function describeFailure(failure: ClientKeysFailure, label: string): string {
  const place = 'member' in failure && failure.member !== undefined ? ` (${failure.member})` : ''
  return `${label}: ${failure.reason}${place}; ${COMMAND} errors explain ${failure.reason}`
}
