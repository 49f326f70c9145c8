import { type PolicySigner, readPolicySigner } from '../../azure/provider-policy/policy-token.ts'
import type { PolicyProvider } from '../../azure/provider-policy/provider-policy.ts'
import { COMMAND } from '../../base/command.ts'
import { fromBase64Url } from '../../base/encoding.ts'
import type { Config } from '../../config/config.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'
import type { Store } from '../../store/store.ts'
import { group, type OnDatabase, verb } from '../framework/command.ts'
import { confirmer } from '../framework/confirm.ts'
import { ACCEPT_DENIALS, flag, option, required, text, YES } from '../framework/options.ts'
import { readTextFile } from '../framework/read-file.ts'
import { readSettings } from '../framework/settings.ts'
import { UsageError } from '../framework/usage-error.ts'
import { comparePolicies } from './compare.ts'
import { pinPolicy, unpinPolicy } from './pin.ts'
import { readPolicySource } from './policy-source.ts'
import { chooseProvider, openProvider } from './provider.ts'
import { publishPolicy } from './publish.ts'
import { showPolicy, showRecommended } from './show.ts'

const PROVIDER = text('URL', 'the provider; otherwise the only one in VERIFIERS')
const FILE = text('POLICY', "a policy of your own, in version 1.0 to 1.2 of Azure's language")
const NAME = text('NAME', 'what people call the pin')

const show = verb({
  summary: 'print the policy in force, its hash, and whether it is pinned',
  database: 'existing',
  options: {
    provider: PROVIDER,
    recommended: flag('print the policy that comes with Countersign instead'),
  },
  json: 'the policy, its hash and the pins',
  run: ({ provider, recommended, json }) =>
    recommended
      ? showRecommended(json)
      : onProvider(provider, (chosen, store) =>
          showPolicy(chosen, store, { json, now: new Date() }),
        ),
})

const diff = verb({
  summary: 'compare the policy in force with the recommended one, or with a file',
  options: { provider: PROVIDER, file: FILE },
  json: 'both hashes and the lines that differ',
  exits: { differs: 'they differ' },
  async run({ provider, file, json }) {
    const source = readPolicySource(file)
    const config = await readSettings({})
    const chosen = openProvider(config, chooseProvider(config, provider))
    return comparePolicies(chosen, source, { json })
  },
})

const set = verb({
  summary: 'publish the recommended policy, or a file, and read it back',
  about: 'It refuses a policy that is not pinned.',
  database: 'existing',
  options: {
    provider: PROVIDER,
    file: FILE,
    pin: flag('pin the new policy before it is published'),
    name: NAME,
    key: text('PEM', 'file with the PKCS#8 RSA key of a policy signer, for isolated providers'),
    certificate: text('PEM', "file with the signer's certificate, and those above it"),
    yes: YES,
  },
  json: 'the hash, and whether the policy was published and is pinned',
  exits: { refused: 'it is not pinned, or you said no' },
  async run({ provider, file, pin: mayPin, name, yes, json, ...files }) {
    const confirm = confirmer({ json, yes })
    const source = readPolicySource(file)
    const signer = await readSigner(files)
    return onProvider(provider, (chosen, store, config) =>
      publishPolicy(chosen, store, {
        source,
        sourceArguments: file === undefined ? '--recommended' : `--file ${file}`,
        signer,
        mayPin,
        name: name ?? (file === undefined ? 'recommended' : undefined),
        json,
        requiresHardware: requiresHardware(config),
        clock: () => new Date(),
        confirm,
      }),
    )
  },
})

const pin = verb({
  summary: 'pin the policy in force, or another, beside those that are pinned',
  database: 'existing',
  options: {
    provider: PROVIDER,
    file: FILE,
    recommended: flag('the policy that comes with Countersign'),
    name: NAME,
  },
  json: 'the hash, whether its pin is new, and all pins',
  run({ provider, file, recommended, name, json }) {
    if (file !== undefined && recommended) throw new UsageError('say --file or --recommended')
    const source = file !== undefined || recommended ? readPolicySource(file) : undefined
    const sourceArguments = file === undefined ? '' : `--file ${file}`
    return onProvider(provider, (chosen, store, config) =>
      pinPolicy(chosen, store, {
        ...{ source, sourceArguments, name, json },
        requiresHardware: requiresHardware(config),
        clock: () => new Date(),
      }),
    )
  },
})

const unpin = verb({
  summary: 'unpin a policy, so that tokens under it are refused',
  database: 'existing',
  arguments: {
    hash: required(
      option('HASH', 'the hash of the policy', readHash),
      `${COMMAND} azure policy show prints them`,
    ),
  },
  options: {
    provider: PROVIDER,
    force: flag('DANGER: also while it is in force'),
    acceptDenials: ACCEPT_DENIALS,
  },
  json: 'the hash, whether it was pinned, how many devices would be denied, and all pins',
  exits: { refused: 'devices would be denied whose last evidence came under it' },
  run: ({ provider, hash, force: isForced, acceptDenials: acceptedDenials, json }) =>
    onProvider(provider, (chosen, store, config) =>
      unpinPolicy(chosen, store, {
        hash,
        isForced,
        acceptedDenials,
        json,
        requiresHardware: requiresHardware(config),
        clock: () => new Date(),
      }),
    ),
})

export const command = group({
  about: `The TPM policy of an Azure Attestation provider says what its tokens mean. Tokens count only under
policies whose hash is pinned in the reference values.`,
  verbs: {
    policy: group({
      about: `A new policy goes into force without a gap by set --pin, and unpin of the old one when no device
brings tokens under it any more: both count until then. AZURE_CREDENTIAL and its settings say who we
are to Azure.`,
      verbs: { show, diff, set, pin, unpin },
    }),
  },
})

function onProvider(
  named: string | undefined,
  run: (provider: PolicyProvider, store: Store, config: Config) => Promise<number>,
): OnDatabase {
  return (store, config) => run(openProvider(config, chooseProvider(config, named)), store, config)
}

function readHash(text: string, label: string): string {
  if (fromBase64Url(text)?.length === 32) return text
  throw new UsageError(`${label} must be a policy hash: ${COMMAND} azure policy show prints them`)
}

async function readSigner(files: {
  readonly key: string | undefined
  readonly certificate: string | undefined
}): Promise<PolicySigner | undefined> {
  const { key, certificate } = files
  if (key === undefined && certificate === undefined) return undefined
  if (key === undefined || certificate === undefined) {
    throw new UsageError('--key and --certificate belong together')
  }
  const signer = await readPolicySigner({
    keyPem: readTextFile(key),
    certificatePem: readTextFile(certificate),
  })
  if (!signer.ok) throw new Error(`--key and --certificate: ${signer.failure.problem}`)
  return signer.value
}
