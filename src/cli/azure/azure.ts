import { type PolicySigner, readPolicySigner } from '../../azure/provider-policy/policy-token.ts'
import type { PolicyProvider } from '../../azure/provider-policy/provider-policy.ts'
import { fromBase64Url } from '../../base/encoding.ts'
import type { Config } from '../../config/config.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'
import type { Store } from '../../store/store.ts'
import { type Command, readArguments, readCount, UsageError } from '../framework/arguments.ts'
import { confirm } from '../framework/confirm.ts'
import { withDatabase } from '../framework/open-database.ts'
import { readTextFile } from '../framework/read-text.ts'
import { DATA_OPTION, readSettings } from '../framework/settings.ts'
import { comparePolicies } from './compare.ts'
import { pinPolicy, unpinPolicy } from './pin.ts'
import { readPolicySource } from './policy-source.ts'
import { chooseProvider, openProvider } from './provider.ts'
import { publishPolicy } from './publish.ts'
import { showPolicy, showRecommended } from './show.ts'

const OPTIONS = {
  provider: { type: 'string' },
  file: { type: 'string' },
  recommended: { type: 'boolean', default: false },
  pin: { type: 'boolean', default: false },
  remove: { type: 'string' },
  name: { type: 'string' },
  key: { type: 'string' },
  certificate: { type: 'string' },
  yes: { type: 'boolean', default: false },
  'accept-denials': { type: 'string' },
  json: { type: 'boolean', default: false },
  ...DATA_OPTION,
} as const

export const command: Command = {
  options: OPTIONS,
  help: `Usage: countersign azure policy show [--provider URL] [--recommended] [--json]
       countersign azure policy diff [--provider URL] [--file POLICY] [--json]
       countersign azure policy set  [--provider URL] [--file POLICY] [--pin] [--yes] [--json]
                                     [--key PEM --certificate PEM]
       countersign azure policy pin  [--provider URL] [--file POLICY | --recommended]
                                     [--name NAME] [--json]
       countersign azure policy pin --remove HASH [--provider URL] [--yes] [--json]
                                    [--accept-denials N]

The TPM policy of an Azure Attestation provider says what its tokens mean. Tokens count only under
policies whose hash is pinned in the reference values.

  show  prints the policy in force, its hash, and whether it is pinned
  diff  compares it with the recommended one, or a file; ends with 1 if they differ
  set   publishes the recommended one, or a file, and reads it back; refuses one that is not pinned
  pin   pins the one in force, or a file, beside those that are pinned: old and new both count

  --provider URL     the provider; else the only one in VERIFIERS
  --file POLICY      a policy of your own, in version 1.0 to 1.2 of Azure's language
  --recommended      the policy that comes with Countersign: show prints it, pin pins it
  --pin              set: pin the new policy before it is published
  --remove HASH      pin: unpin this policy; refused while it is in force, unless with --yes
  --accept-denials N DANGER: pin --remove may take the access of up to N devices whose last
                     evidence came under that policy
  --name NAME        what people call the pin
  --key PEM          set: file with the PKCS#8 RSA key of a policy signer, for isolated providers
  --certificate PEM  set: file with the signer's certificate, and those above it
  --yes              do not ask
  --data DIR         the data directory of the embedded database (DATA_DIR; ./data); works while the
                     service runs on it. DATABASE_URL uses PostgreSQL.
  --json             print JSON

A new policy goes into force without a gap by: set --pin, and when no device brings tokens under the
old one any more: pin --remove. AZURE_CREDENTIAL and its settings say who we are to Azure.
`,
  async run(args) {
    const { values, positionals } = readArguments(args, OPTIONS, 2)
    const [subject, verb] = positionals
    const prepare = verb !== undefined && Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined
    if (subject !== 'policy' || prepare === undefined) {
      throw new UsageError(`say policy ${Object.keys(VERBS).join(', policy ')}`)
    }
    refuseSurplus(verb ?? '', values)
    const perform = await prepare(values)
    const config = await readSettings(values)
    return await perform(config)
  },
}

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>['values']
type Perform = (config: Config) => Promise<number>

/** Each looks at its arguments and files before anybody is asked or the database is opened. */
const VERBS: Readonly<Record<string, (values: Values) => Perform | Promise<Perform>>> = {
  show,
  diff,
  set,
  pin,
}

/** Options that only some take; what is not taken is an error, never ignored. */
const TAKEN: Readonly<Record<string, readonly (keyof Values)[]>> = {
  show: ['recommended'],
  diff: ['file'],
  set: ['file', 'pin', 'name', 'key', 'certificate', 'yes'],
  pin: ['file', 'recommended', 'name', 'remove', 'yes', 'accept-denials'],
}
const ALWAYS_TAKEN: readonly string[] = ['provider', 'json', 'data']

function refuseSurplus(verb: string, values: Values): void {
  const taken: readonly string[] = TAKEN[verb] ?? []
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === false) continue
    if (value === '') throw new UsageError(`--${name} is empty`)
    if (!ALWAYS_TAKEN.includes(name) && !taken.includes(name)) {
      throw new UsageError(`--${name} is not for policy ${verb}`)
    }
  }
}

function withProvider(
  values: Values,
  run: (provider: PolicyProvider, store: Store, config: Config) => Promise<number>,
): Perform {
  return (config) => {
    const provider = openProvider(config, chooseProvider(config, values.provider))
    return withDatabase(config, { mayCreate: false }, (store) => run(provider, store, config))
  }
}

function show(values: Values): Perform {
  const { json, recommended } = values
  if (recommended) return async () => showRecommended(json)
  return withProvider(values, (provider, store) =>
    showPolicy(provider, store, { json, now: new Date() }),
  )
}

function diff({ json, file, provider }: Values): Perform {
  const source = readPolicySource(file)
  return (config) =>
    comparePolicies(openProvider(config, chooseProvider(config, provider)), source, { json })
}

async function set(values: Values): Promise<Perform> {
  const { json, yes, file, name } = values
  if (json && !yes) throw new UsageError('--json asks nobody: say --yes too')
  const source = readPolicySource(file)
  const signer = await readSigner(values)
  const terminal = { input: process.stdin, output: process.stderr }
  return withProvider(values, (provider, store) =>
    publishPolicy(provider, store, {
      source,
      sourceArguments: file === undefined ? '--recommended' : `--file ${file}`,
      signer,
      mayPin: values.pin,
      name: name ?? (file === undefined ? 'recommended' : undefined),
      json,
      now: new Date(),
      confirm: (question) => (yes ? Promise.resolve(true) : confirm(question, terminal)),
    }),
  )
}

function pin(values: Values): Perform {
  const { json, file, recommended, name, remove: hash, yes } = values
  if (hash !== undefined) {
    if (file !== undefined || recommended || name !== undefined) {
      throw new UsageError('--remove takes the hash alone')
    }
    if (fromBase64Url(hash)?.length !== 32) {
      throw new UsageError('--remove must be a policy hash (countersign azure policy show)')
    }
    const acceptedDenials = readCount(values['accept-denials'], 'accept-denials', 0)
    const given = { hash, isForced: yes, acceptedDenials, json, clock: () => new Date() }
    return withProvider(values, (provider, store, config) =>
      unpinPolicy(provider, store, { ...given, requiresHardware: requiresHardware(config) }),
    )
  }
  if (values['accept-denials'] !== undefined) {
    throw new UsageError('--accept-denials is only for --remove')
  }
  if (yes) throw new UsageError('--yes is only for --remove')
  if (file !== undefined && recommended) throw new UsageError('say --file or --recommended')
  const source = file !== undefined || recommended ? readPolicySource(file) : undefined
  const sourceArguments = file === undefined ? '' : `--file ${file}`
  return withProvider(values, (provider, store) =>
    pinPolicy(provider, store, { source, sourceArguments, name, json, now: new Date() }),
  )
}

async function readSigner({ key, certificate }: Values): Promise<PolicySigner | undefined> {
  if (key === undefined && certificate === undefined) return undefined
  if (key === undefined || certificate === undefined) {
    throw new UsageError('--key and --certificate belong together')
  }
  const signer = await readPolicySigner({
    keyPem: readTextFile(key, '--key'),
    certificatePem: readTextFile(certificate, '--certificate'),
  })
  if (!signer.ok) throw new Error(`--key and --certificate: ${signer.failure.problem}`)
  return signer.value
}
