import { createAzureCredential } from '../../azure/credential.ts'
import { createKeySets } from '../../azure/key-sets.ts'
import {
  createPolicyProvider,
  type PolicyProvider,
  type PolicyProviderFailure,
} from '../../azure/provider-policy/provider-policy.ts'
import type { Result } from '../../base/result.ts'
import type { Config } from '../../config/config.ts'
import { UsageError } from '../framework/usage-error.ts'

/** A person waits longer than an agent does, and `az` takes seconds to make a token. */
const LEAST_TIMEOUT_MS = 30_000

/** The provider that is meant: the one that is named, or the only one that is configured. */
export function chooseProvider(config: Config, named: string | undefined): string {
  if (named !== undefined) {
    const url = named.replace(/\/+$/, '')
    if (url.startsWith('https://') && URL.canParse(url) && new URL(url).origin === url) return url
    throw new UsageError('--provider must be a URL like https://contoso.eus.attest.azure.net')
  }
  const [url, ...others] = config.verifiers.filter((name) => name.startsWith('https://'))
  if (url === undefined) {
    throw new UsageError('no provider is configured (VERIFIERS): say which with --provider URL')
  }
  if (others.length > 0) {
    throw new UsageError(`say which with --provider: ${[url, ...others].join(', ')}`)
  }
  return url
}

export function openProvider(config: Config, url: string): PolicyProvider {
  const { credential, scope } = config.azure
  const timeoutMs = Math.max(config.azure.timeoutMs, LEAST_TIMEOUT_MS)
  const send: typeof fetch = (...request) => fetch(...request)
  const clock = () => new Date()
  return createPolicyProvider({
    url,
    credential: createAzureCredential(credential),
    scope,
    timeoutMs,
    clockSkewSeconds: config.clockSkewSeconds,
    keySets: createKeySets({ issuers: [url], fetch: send, clock, timeoutMs }),
    clock,
    fetch: send,
  })
}

/** The value, or an error that says what to do next. */
export function demand<T>(result: Result<T, PolicyProviderFailure>, url: string, note = ''): T {
  if (result.ok) return result.value
  const { failure } = result
  const code = 'code' in failure && failure.code !== undefined ? `, ${failure.code}` : ''
  throw new Error(`${url}: ${explain(failure)} (${failure.reason}${code})${note}`)
}

function explain(failure: PolicyProviderFailure): string {
  switch (failure.reason) {
    case 'provider_credential_refused':
      return 'it or Entra refused who we are: look at AZURE_CREDENTIAL and the settings that belong to it; to read a policy takes the role Attestation Reader on the provider, to set one Attestation Contributor'
    case 'provider_refused':
      return 'it refused the request; a provider in isolated mode takes policies only with --key and --certificate of one of its signers'
    case 'provider_unreachable':
    case 'provider_timed_out':
      return 'it, or Entra, cannot be reached from here: look at the URL and the network, and try again'
    case 'provider_throttled':
    case 'provider_failed':
    case 'provider_circuit_open':
      return 'it cannot answer at the moment: try again'
    case 'provider_answer_malformed':
      return 'what answers there is no provider of Azure Attestation: look at the URL'
    case 'key_set_unavailable':
      return 'its keys (/certs) cannot be fetched, so that its answer is not believed: try again'
    case 'policy_answer_mismatch':
      return 'it does not confirm the policy that it was given: look at the one in force'
    default:
      return 'its answer cannot be verified and is not believed: look at the URL, the clock of this machine and who is on the way'
  }
}
