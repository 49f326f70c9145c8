import { createAzureCredential } from './credential.ts'
import { createKeySets, type KeySets } from './key-sets.ts'
import { type AzureRelay, createAzureRelay } from './relay.ts'
import { type AzureConfig, BUILT_IN } from './settings.ts'

/** The Azure providers among the configured verifiers, and what is known of them. */
export type Providers = {
  readonly providers: readonly string[]
  readonly relays: ReadonlyMap<string, AzureRelay>
  readonly keySets: KeySets
  /** Whether each configured verifier answers, ours included, by its name in the configuration. */
  readonly states: () => Readonly<Record<string, boolean>>
}

export function connectProviders(
  config: { readonly verifiers: readonly string[]; readonly azure: AzureConfig },
  clock: () => Date,
): Providers {
  const { scope, timeoutMs } = config.azure
  const providers = config.verifiers.filter((name) => name !== BUILT_IN)
  // All of them trust one tenant, so one credential and one token will do.
  const credential =
    providers.length === 0 ? undefined : createAzureCredential(config.azure.credential)
  const relays = new Map(
    providers.map((url) => {
      const relay = { url, credential, scope, timeoutMs, clock, random: Math.random }
      return [url, createAzureRelay(relay)]
    }),
  )
  const send: typeof fetch = (...request) => fetch(...request)
  const keySets = createKeySets({ issuers: providers, fetch: send, clock, timeoutMs })
  const isUp = (url: string) =>
    relays.get(url)?.state().available === true && keySets.state(url).available
  return {
    providers,
    relays,
    keySets,
    states: () =>
      Object.fromEntries(config.verifiers.map((name) => [name, name === BUILT_IN || isUp(name)])),
  }
}
