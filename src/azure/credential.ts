import type { AccessToken, GetTokenOptions, TokenCredential } from '@azure/identity'
import { signClientAssertion } from './client-certificate.ts'
import { CredentialError } from './credential-error.ts'
import type { RelayFailure } from './failure.ts'
import { createHttpClient, type Exchange } from './http-client.ts'
import { MACHINE_TIMEOUT_MS } from './limits.ts'
import { readRetryAfter } from './retry.ts'
import { createTokenCache, type ForgettingCredential } from './token-cache.ts'

type Authority = {
  /** `https://login.microsoftonline.com` unless given. */
  readonly authorityHost?: string
  /** For hosts that Microsoft's list of its clouds does not know. */
  readonly disableInstanceDiscovery?: boolean
}

/** Who we are towards Entra. The kinds that read files or ask the machine work on Node only. */
export type AzureCredentialSettings = Authority &
  (
    | { readonly kind: 'default' }
    | {
        readonly kind: 'client-secret'
        readonly tenantId: string
        readonly clientId: string
        readonly clientSecret: string
      }
    | {
        readonly kind: 'client-certificate'
        readonly tenantId: string
        readonly clientId: string
        /** Certificate and PKCS#8 RSA key. */
        readonly pem: string
      }
    | {
        readonly kind: 'workload-identity'
        readonly tenantId?: string
        readonly clientId?: string
        /** Path of the projected token. */
        readonly tokenFile?: string
      }
    | { readonly kind: 'managed-identity'; readonly clientId?: string }
  )

export type CredentialPorts = { readonly fetch?: typeof fetch; readonly clock?: () => Date }

const PUBLIC_AUTHORITY = 'https://login.microsoftonline.com'

/**
 * A credential whose tokens are cached and whose only error is `CredentialError`. Nothing is loaded
 * or asked before the first token is needed. One instance may serve many requests of a Worker.
 */
export function createAzureCredential(
  settings: AzureCredentialSettings,
  ports: CredentialPorts = {},
): ForgettingCredential {
  const { clock = () => new Date() } = ports
  const send: typeof fetch = ports.fetch ?? ((...request) => fetch(...request))
  const request = (scopes: readonly string[], options: GetTokenOptions) =>
    requestToken({ settings, scopes, options, fetch: send, clock })
  return createTokenCache({ request, clock })
}

type TokenRequest = Required<CredentialPorts> & {
  readonly settings: AzureCredentialSettings
  readonly scopes: readonly string[]
  readonly options: GetTokenOptions
}

/**
 * One token from a credential that is made for it: those of the SDK keep sockets, timers and
 * promises, which must not outlive a request of a Worker, and which a token once an hour is no
 * reason to keep elsewhere.
 */
async function requestToken(input: TokenRequest): Promise<AccessToken> {
  const { settings, scopes, options } = input
  const exchanges: Exchange[] = []
  const signal = options.abortSignal
  let token: AccessToken | null = null
  let isCutOff = false
  try {
    const credential = await loadCredential(input, (exchange) => exchanges.push(exchange))
    token = await credential.getToken([...scopes], options)
  } catch (error) {
    // The texts of the SDK are not looked at: the exchanges say what happened.
    isCutOff = isNetworkError(error)
  }
  if (token !== null) return token
  if (signal?.aborted) throw new CredentialError({ reason: 'provider_timed_out' })
  if (settings.kind === 'managed-identity' && isCutOff) {
    throw new CredentialError({ reason: 'provider_unreachable' })
  }
  throw new CredentialError(explainRefusal(exchanges, input.clock()))
}

/** MSAL's own word for it, which is all that is left of a machine's answers (see `signalOf`). */
function isNetworkError(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && 'errorCode' in cause && cause.errorCode === 'network_error'
}

/**
 * The SDK does not hand the signal of its caller on to its requests, so they get it here. But MSAL
 * keeps the first HTTP client that asks a machine for its identity for the whole process: one that
 * may do that must not end with the request for which it was made.
 */
function signalOf({ settings, options }: TokenRequest): () => AbortSignal | undefined {
  const { abortSignal } = options
  const asksMachine = settings.kind === 'managed-identity' || settings.kind === 'default'
  if (asksMachine) return () => AbortSignal.timeout(MACHINE_TIMEOUT_MS)
  return () => (abortSignal instanceof AbortSignal ? abortSignal : undefined)
}

async function loadCredential(
  input: TokenRequest,
  record: (exchange: Exchange) => void,
): Promise<TokenCredential> {
  const { settings } = input
  const identity = await import('@azure/identity')
  const { authorityHost = PUBLIC_AUTHORITY, disableInstanceDiscovery = false } = settings
  const options = {
    authorityHost,
    disableInstanceDiscovery,
    httpClient: await createHttpClient({ fetch: input.fetch, record, signal: signalOf(input) }),
    retryOptions: { maxRetries: 0 },
    redirectOptions: { maxRetries: 0 },
  }
  switch (settings.kind) {
    case 'client-secret': {
      const { tenantId, clientId, clientSecret } = settings
      return new identity.ClientSecretCredential(tenantId, clientId, clientSecret, options)
    }
    case 'client-certificate': {
      const { tenantId, clientId, pem } = settings
      const audience = `${authorityHost.replace(/\/+$/, '')}/${tenantId}/oauth2/v2.0/token`
      const sign = () => signClientAssertion({ pem, clientId, audience, now: input.clock() })
      return new identity.ClientAssertionCredential(tenantId, clientId, sign, options)
    }
    case 'workload-identity': {
      const { tenantId, clientId, tokenFile } = settings
      return new identity.WorkloadIdentityCredential({
        ...options,
        ...(tenantId !== undefined && { tenantId }),
        ...(clientId !== undefined && { clientId }),
        ...(tokenFile !== undefined && { tokenFilePath: tokenFile }),
      })
    }
    case 'managed-identity': {
      const { clientId } = settings
      return new identity.ManagedIdentityCredential({
        ...options,
        ...(clientId !== undefined && { clientId }),
      })
    }
    case 'default':
      return new identity.DefaultAzureCredential(options)
  }
}

/** Without any exchange there is nothing that could be asked: that is a matter of configuration. */
function explainRefusal(exchanges: readonly Exchange[], now: Date): RelayFailure {
  // The default chain looks for a managed identity on every machine, most of which have none.
  const asked = exchanges.filter(({ url }) => url.startsWith('https://'))
  const answered = asked.filter((exchange) => exchange.kind === 'answered')
  const throttled = answered.find(({ status }) => status === 429)
  if (throttled !== undefined) {
    const retryAfterSeconds = readRetryAfter(throttled.headers.get('retry-after') ?? '', now)
    const wait = retryAfterSeconds === undefined ? {} : { retryAfterSeconds }
    return { reason: 'provider_throttled', ...wait }
  }
  const isRefused = answered.some(({ status }) => status >= 400 && status < 500 && status !== 408)
  const isAway = asked.some((exchange) => exchange.kind !== 'answered' || exchange.status >= 500)
  return { reason: isAway && !isRefused ? 'provider_unreachable' : 'provider_credential_refused' }
}
