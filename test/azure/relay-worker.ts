import { createAzureCredential } from '../../src/azure/credential.ts'
import { createHttpClient } from '../../src/azure/http-client.ts'
import { type AzureRelay, createAzureRelay } from '../../src/azure/relay.ts'

/**
 * Runs inside of workerd for test/azure/relay-workerd.test.ts: one relay for all requests, with the
 * SDKs as a bundler picks them for a Worker, and Entra and a provider that answer in memory.
 */
const PROVIDER = 'https://contoso.eus.attest.azure.net'
const AUTHORITY = 'https://login.example'
const INIT = '{"payload":{"type":"aikcert"}}'
const CHALLENGE = '{"payload":{"challenge":"AAAA","service_context":"BBBB"},"note":"grün €"}'

let tokens = 0

const network: typeof fetch = async (input, init) => {
  const url = new URL(String(input))
  // Real I/O of this request, so that waiting for another request's would be noticed.
  await new Promise((resolve) => setTimeout(resolve, 1))
  if (url.pathname.endsWith('/openid-configuration')) {
    const at = `${AUTHORITY}/tenant/oauth2/v2.0`
    const issuer = `${AUTHORITY}/tenant/v2.0`
    const endpoints = { authorization_endpoint: `${at}/authorize`, token_endpoint: `${at}/token` }
    return Response.json({ issuer, jwks_uri: `${at}/keys`, ...endpoints })
  }
  if (url.origin === AUTHORITY) {
    tokens += 1
    const isSigned = String(init?.body).includes('client_assertion=')
    const token = { token_type: 'Bearer', expires_in: 3600, access_token: `token-${isSigned}` }
    return Response.json(token)
  }
  const authorization = new Headers(init?.headers).get('authorization')
  if (authorization !== 'Bearer token-true' && authorization !== null) {
    return new Response('', { status: 401 })
  }
  return Response.json({ data: Buffer.from(CHALLENGE).toString('base64url') })
}

let relay: AzureRelay | undefined

function openRelay(pem: string): AzureRelay {
  const authority = { authorityHost: AUTHORITY, disableInstanceDiscovery: true }
  const client = { tenantId: 'tenant', clientId: 'client', pem }
  const settings = { kind: 'client-certificate', ...client, ...authority } as const
  return createAzureRelay({
    url: PROVIDER,
    credential: createAzureCredential(settings, { fetch: network }),
    scope: 'https://attest.azure.net/.default',
    timeoutMs: 5000,
    clock: () => new Date(),
    random: Math.random,
    fetch: network,
  })
}

async function askSdkItself(): Promise<string> {
  const { AttestationClient } = await import('@azure/attestation')
  const httpClient = await createHttpClient({ fetch: network, record: () => {} })
  return await new AttestationClient(PROVIDER, { httpClient }).attestTpm(INIT)
}

export default {
  async fetch(request: Request, env: { readonly PEM: string }): Promise<Response> {
    if (new URL(request.url).pathname === '/sdk') return new Response(await askSdkItself())
    relay ??= openRelay(env.PEM)
    const result = await relay.attestTpm({ kind: 'init' })
    return Response.json({ result, state: relay.state(), tokens })
  },
}
