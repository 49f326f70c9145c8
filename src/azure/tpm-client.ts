import type { AttestationClient } from '@azure/attestation'
import type { HttpClient } from '@azure/core-rest-pipeline'
import type { AccessToken, GetTokenOptions, TokenCredential } from '@azure/identity'
import { CredentialError } from './credential-error.ts'
import type { RelayFailure } from './failure.ts'
import { createHttpClient, type Exchange } from './http-client.ts'
import { loadAttestationSdk, loadPipelineSdk } from './sdk.ts'
import type { ForgettingCredential } from './token-cache.ts'

/** A credential of the SDK, or one of ours, which can also forget a token. */
export type ProviderCredential = TokenCredential & Partial<Pick<ForgettingCredential, 'forget'>>

export type TpmMessageInput = {
  /** The provider, `https` only. */
  readonly url: string
  /** Inner JSON text of the TPM protocol. */
  readonly message: string
  readonly credential: ProviderCredential | undefined
  readonly scope: string
  readonly timeoutMs: number
  readonly fetch: typeof fetch
}

/** What became of one message. The body is as it stood on the wire. */
export type TpmOutcome =
  | Extract<Exchange, { kind: 'answered' | 'oversized' }>
  | { readonly kind: 'lost' | 'timed_out'; readonly sent: boolean }
  | { readonly kind: 'no_token'; readonly failure: RelayFailure }

/**
 * Sends one message of the TPM protocol through Azure's own client, which makes the envelope, the
 * address and the bearer token. This file is all that knows what is wrong with it (1.0.0):
 *
 * - A credential given to its constructor makes it drop every option. So it is given options only,
 *   and the bearer token is an additional policy, for our scope and not for its own.
 * - It decodes answers as ASCII, and in a Worker as a list of numbers with commas. So nothing is
 *   deserialized, and the answer is read from the wire by `createHttpClient`.
 * - It follows redirects with the bearer token, repeats requests, and reads answers of any size.
 *   So it does neither, and has our HTTP client.
 * - Its errors quote messages and answers. So they are dropped; what happened is in the exchanges.
 * - What it would validate it validates wrongly. So it is told not to; this call never does.
 *
 * A client is made for every message, because it and its policies share promises between requests,
 * which a Worker forbids.
 */
export async function sendTpmMessage(input: TpmMessageInput): Promise<TpmOutcome> {
  let exchange: Exchange | undefined
  const record = (over: Exchange) => {
    exchange = over
  }
  let isSent = false
  const send: typeof fetch = (...request) => {
    isSent = true
    return input.fetch(...request)
  }
  const tokens = input.credential && watchTokens(input.credential)
  const client = await openClient(input, await createHttpClient({ fetch: send, record }), tokens)
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(), input.timeoutMs)
  let thrown: unknown
  try {
    await client.attestTpm(input.message, {
      abortSignal: controller.signal,
      requestOptions: { shouldDeserialize: false },
    })
  } catch (error) {
    thrown = error
  } finally {
    clearTimeout(timer)
  }

  if (exchange?.kind === 'answered' && exchange.status === 401) tokens?.forgetLast()
  if (exchange !== undefined && exchange.kind !== 'lost') return exchange
  if (controller.signal.aborted) return { kind: 'timed_out', sent: isSent }
  if (exchange !== undefined) return { kind: 'lost', sent: exchange.sent }
  const failure = tokens?.failure()
  if (failure !== undefined) return { kind: 'no_token', failure }
  const name = thrown instanceof Error ? thrown.name : typeof thrown
  throw new Error(`the client of Azure Attestation sent nothing (${name})`)
}

async function openClient(
  { url, scope }: TpmMessageInput,
  httpClient: HttpClient,
  credential: TokenCredential | undefined,
): Promise<AttestationClient> {
  const [sdk, { bearerTokenAuthenticationPolicy }] = await Promise.all([
    loadAttestationSdk(),
    loadPipelineSdk(),
  ])
  const policy = credential && bearerTokenAuthenticationPolicy({ credential, scopes: scope })
  return new sdk.AttestationClient(url, {
    httpClient,
    additionalPolicies: policy === undefined ? [] : [{ policy, position: 'perCall' }],
    retryOptions: { maxRetries: 0 },
    redirectOptions: { maxRetries: 0 },
    validationOptions: { validateToken: false },
  })
}

type WatchedTokens = TokenCredential & {
  readonly failure: () => RelayFailure | undefined
  readonly forgetLast: () => void
}

/** Remembers for one message which token was used, or why there was none. */
function watchTokens(credential: ProviderCredential): WatchedTokens {
  let last: AccessToken | null = null
  let failure: RelayFailure | undefined
  return {
    async getToken(scopes, options) {
      try {
        last = await raceAbort(credential.getToken(scopes, options), options?.abortSignal)
        if (last === null) throw new CredentialError({ reason: 'provider_credential_refused' })
        return last
      } catch (error) {
        const isOurs = error instanceof CredentialError
        failure = isOurs ? error.failure : { reason: 'provider_credential_refused' }
        throw error
      }
    },
    failure: () => failure,
    forgetLast: () => {
      if (last !== null) credential.forget?.(last.token)
    },
  }
}

/** A credential may wait for files, programs or its own retries and take no notice of the signal. */
async function raceAbort<T>(work: Promise<T>, signal: GetTokenOptions['abortSignal']): Promise<T> {
  if (signal === undefined) return await work
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(new CredentialError({ reason: 'provider_timed_out' }))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
