import { BUILT_IN } from '../azure/settings.ts'
import { err, ok, type Result } from '../base/result.ts'
import { type Config, type ConfigFailure, type Environment, parseConfig } from './config.ts'

/** What a Worker is given: settings and secrets under the names they have on Node, and Hyperdrive. */
export type WorkerBindings = Readonly<Record<string, unknown>> & {
  readonly HYPERDRIVE?: { readonly connectionString: string }
}

/** Settings with no effect in a Worker, which has no files and its database behind a binding. */
export const NODE_ONLY = {
  DATABASE_URL: 'bind the database as HYPERDRIVE',
  AK_TRUST_ANCHORS_FILE: 'give the certificates themselves as AK_TRUST_ANCHORS',
  EK_TRUST_ANCHORS_FILE: 'give the certificates themselves as EK_TRUST_ANCHORS',
  OAUTH_ISSUERS_FILE: 'give the list itself as OAUTH_ISSUERS',
  SIGN_IN_CLIENTS_FILE: 'give the list itself as SIGN_IN_CLIENTS',
  AZURE_CLIENT_CERTIFICATE_PATH: 'give the certificate itself as AZURE_CLIENT_CERTIFICATE',
  GOOGLE_SERVICE_ACCOUNT_FILE: 'give the key itself as GOOGLE_SERVICE_ACCOUNT',
  AZURE_FEDERATED_TOKEN_FILE: 'use AZURE_CREDENTIAL client-secret or client-certificate',
} as const

/** The kinds of credential that need neither a file nor an address inside of Azure. */
const CREDENTIALS = ['client-secret', 'client-certificate']

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

/**
 * The settings of a Worker's bindings, by the rules of `parseConfig`. What Node finds out or makes
 * for itself must be given here: where the service is reached, its secret and its database.
 */
export function readWorkerConfig(bindings: WorkerBindings): Result<Config, ConfigFailure> {
  const url = bindings.HYPERDRIVE?.connectionString
  const given: Environment = { ...settingsOf(bindings), DATABASE_URL: url }
  const parsed = parseConfig(given)
  const mistakes = parsed.ok ? [] : [...parsed.failure.mistakes]
  if (url === undefined) mistakes.push('HYPERDRIVE: is needed, a Hyperdrive binding to PostgreSQL')
  for (const name of ['PUBLIC_URL', 'SECRET_KEY']) {
    if ((given[name] ?? '') === '') mistakes.push(`${name}: is needed`)
  }
  for (const [name, remedy] of Object.entries(NODE_ONLY)) {
    if ((bindings[name] ?? '') !== '') mistakes.push(`${name}: has no effect here, ${remedy}`)
  }
  if (parsed.ok && !canReachAzure(parsed.value)) {
    mistakes.push(`AZURE_CREDENTIAL: must be one of ${CREDENTIALS.join(', ')} here`)
  }
  if (!parsed.ok || mistakes.length > 0) return err({ reason: 'config_invalid', mistakes })
  return ok({ ...parsed.value, agentOrigins: agentOrigins(parsed.value.publicUrl) })
}

function canReachAzure({ verifiers, azure }: Config): boolean {
  return verifiers.every((name) => name === BUILT_IN) || CREDENTIALS.includes(azure.credential.kind)
}

/** Variables of wrangler.toml may be numbers and truth values; other bindings are no settings. */
function settingsOf(bindings: WorkerBindings): Environment {
  return Object.fromEntries(
    Object.entries(bindings).flatMap(([name, value]) => {
      const isSetting = ['string', 'number', 'boolean'].includes(typeof value)
      return isSetting ? [[name, String(value)]] : []
    }),
  )
}

/** While developing, the same machine is reached by any of its names, as on Node. */
function agentOrigins(publicUrl: string): string[] {
  const url = new URL(publicUrl)
  if (!LOOPBACK.includes(url.hostname)) return [publicUrl]
  return LOOPBACK.map((hostname) => Object.assign(new URL(url), { hostname }).toString()).map(
    (text) => text.replace(/\/+$/, ''),
  )
}
