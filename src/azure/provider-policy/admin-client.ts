import type { AttestationAdministrationClient } from '@azure/attestation'
import type { TokenCredential } from '@azure/identity'
import { err, ok, type Result } from '../../base/result.ts'
import { parseJsonObject } from '../../evidence/jws/compact-jws.ts'
import { readErrorCode } from '../answer.ts'
import { CredentialError } from '../credential-error.ts'
import type { RelayFailure } from '../failure.ts'
import { createHttpClient, type Exchange } from '../http-client.ts'
import { readRetryAfter } from '../retry.ts'
import { loadAttestationSdk } from '../sdk.ts'

export type PolicyRequestInput = {
  /** The provider, `https` only. */
  readonly url: string
  readonly credential: TokenCredential
  readonly scope: string
  /** For the whole of it, a token of Entra included. */
  readonly timeoutMs: number
  readonly fetch: typeof fetch
  readonly clock: () => Date
  /** The JWS to publish. `undefined`: the policy in force is asked for. */
  readonly policyToken: string | undefined
}

/** The TPM policy; it serves VBS enclaves too. */
const ATTESTATION_TYPE = 'Tpm'

/**
 * Asks a provider for its TPM policy, or publishes one, through Azure's own administration client,
 * and returns the token in the answer, unverified. The client makes the address and the bearer
 * token. What it would do besides is kept from it (1.0.0):
 *
 * - It validates answers wrongly: unsigned ones pass. So it is told not to validate, nothing is
 *   deserialized for it, and the answer is read from the wire by `createHttpClient`. It fetches keys
 *   all the same; that request is not let out, and that it fails over it is expected.
 * - It signs policies with jsrsasign and one certificate. So the body is replaced by our own JWS.
 * - It asks for tokens for the public cloud only. So the credential that it gets asks for our scope.
 *   This client, unlike the other one, keeps its options beside a credential.
 */
export async function requestPolicy(
  input: PolicyRequestInput,
): Promise<Result<string, RelayFailure>> {
  const { url, policyToken, clock } = input
  let failure: RelayFailure | undefined
  const credential: TokenCredential = {
    async getToken(_, options) {
      try {
        const token = await input.credential.getToken(input.scope, options)
        if (token !== null) return token
        failure = { reason: 'provider_credential_refused' }
      } catch (error) {
        const isOurs = error instanceof CredentialError
        failure = isOurs ? error.failure : { reason: 'provider_credential_refused' }
      }
      throw new CredentialError(failure)
    },
  }
  const exchanges: Exchange[] = []
  const client = await loadClient(input, credential, (exchange) => exchanges.push(exchange))
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(), input.timeoutMs)
  const options = {
    abortSignal: controller.signal,
    requestOptions: { shouldDeserialize: false },
  }
  let thrown: unknown
  try {
    if (policyToken === undefined) await client.getPolicy(ATTESTATION_TYPE, options)
    else await client.setPolicy(ATTESTATION_TYPE, 'replaced', options)
  } catch (error) {
    thrown = error
  } finally {
    clearTimeout(timer)
  }
  const exchange = exchanges.at(-1)
  if (exchange?.kind === 'answered') return judgeAnswer(exchange, clock())
  if (controller.signal.aborted) return err({ reason: 'provider_timed_out' })
  if (exchange?.kind === 'oversized') return err({ reason: 'provider_answer_malformed' })
  if (exchange?.kind === 'lost') return err({ reason: 'provider_unreachable' })
  if (failure !== undefined) return err(failure)
  const name = thrown instanceof Error ? thrown.name : typeof thrown
  throw new Error(`the client of Azure Attestation sent nothing to ${url} (${name})`)
}

async function loadClient(
  input: PolicyRequestInput,
  credential: TokenCredential,
  record: (exchange: Exchange) => void,
): Promise<AttestationAdministrationClient> {
  const { url, policyToken } = input
  const { AttestationAdministrationClient: Client } = await loadAttestationSdk()
  const httpClient = await createHttpClient({ fetch: input.fetch, record })
  return new Client(url, credential, {
    httpClient: {
      async sendRequest(request) {
        if (!request.url.startsWith(`${url}/policies/`)) throw new Error('not a request of ours')
        if (policyToken !== undefined) request.body = policyToken
        return await httpClient.sendRequest(request)
      },
    },
    retryOptions: { maxRetries: 0 },
    redirectOptions: { maxRetries: 0 },
    validationOptions: { validateToken: false },
  })
}

function judgeAnswer(
  answer: Extract<Exchange, { kind: 'answered' }>,
  now: Date,
): Result<string, RelayFailure> {
  const { status, headers, body = '' } = answer
  if (status === 200) {
    const token = parseJsonObject(body)?.token
    return typeof token === 'string' ? ok(token) : err({ reason: 'provider_answer_malformed' })
  }
  const code = readErrorCode(body)?.known
  const retryAfterSeconds = readRetryAfter(headers.get('retry-after') ?? '', now)
  return err({
    reason: reasonOfStatus(status),
    ...(code !== undefined && { code }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  })
}

function reasonOfStatus(status: number): RelayFailure['reason'] {
  if (status === 401 || status === 403) return 'provider_credential_refused'
  if (status === 408) return 'provider_timed_out'
  if (status === 429) return 'provider_throttled'
  if (status >= 400 && status < 500) return 'provider_refused'
  return status >= 500 ? 'provider_failed' : 'provider_answer_malformed'
}
