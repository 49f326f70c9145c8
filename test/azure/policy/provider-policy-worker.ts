import type { TokenCredential } from '@azure/identity'
import { createAzureCredential } from '../../../src/azure/credential.ts'
import { createKeySets } from '../../../src/azure/key-sets.ts'
import {
  createPolicyToken,
  type PolicySignerFailure,
  readPolicySigner,
} from '../../../src/azure/provider-policy/policy-token.ts'
import {
  createPolicyProvider,
  type PolicyInForce,
  type PolicyProvider,
  type PolicyProviderFailure,
} from '../../../src/azure/provider-policy/provider-policy.ts'
import { ok, type Result } from '../../../src/base/result.ts'

/**
 * Runs inside of workerd for test/azure/provider-policy/provider-policy-workerd.test.ts: the policies of
 * providers, read and published as the body of a request says, over the network of workerd.
 */
export type PolicyOrder = {
  readonly access: ProviderAccess
  /** Absent: the policy in force is read. */
  readonly publish?: {
    readonly text: string
    readonly signer?: { readonly keyPem: string; readonly certificatePem: string }
  }
}

export type ProviderAccess = {
  readonly url: string
  readonly client: {
    readonly tenantId: string
    readonly clientId: string
    readonly clientSecret: string
    readonly authorityHost: string
  }
  readonly scope: string
  /** Sent in place of a token of Entra. */
  readonly bearer?: string
  readonly timeoutMs: number
}

export type PolicyOutcome = Result<PolicyInForce, PolicyProviderFailure | PolicySignerFailure>

/** Kept between requests, as a service would: what one request leaves here must serve the next. */
const providers = new Map<string, PolicyProvider>()

function providerFor(access: ProviderAccess): PolicyProvider {
  const name = JSON.stringify(access)
  const provider = providers.get(name) ?? openProvider(access)
  providers.set(name, provider)
  return provider
}

function openProvider(access: ProviderAccess): PolicyProvider {
  const { url, scope, timeoutMs } = access
  const clock = () => new Date()
  const send: typeof fetch = (...request) => fetch(...request)
  return createPolicyProvider({
    url,
    credential: credentialOf(access),
    scope,
    timeoutMs,
    clockSkewSeconds: 60,
    keySets: createKeySets({ issuers: [url], fetch: send, clock, timeoutMs }),
    clock,
  })
}

function credentialOf({ bearer, client }: ProviderAccess): TokenCredential {
  if (bearer === undefined) {
    return createAzureCredential({
      kind: 'client-secret',
      ...client,
      disableInstanceDiscovery: true,
    })
  }
  return {
    getToken: async () => ({ token: bearer, expiresOnTimestamp: Date.now() + 3_600_000 }),
  }
}

async function carryOut({ access, publish }: PolicyOrder): Promise<PolicyOutcome> {
  const provider = providerFor(access)
  if (publish === undefined) return await provider.readPolicy()
  const { text, signer } = publish
  const read = signer === undefined ? ok(undefined) : await readPolicySigner(signer)
  if (!read.ok) return read
  return await provider.publishPolicy(await createPolicyToken(text, read.value))
}

export default {
  async fetch(request: Request): Promise<Response> {
    return Response.json(await carryOut((await request.json()) as PolicyOrder))
  },
}
