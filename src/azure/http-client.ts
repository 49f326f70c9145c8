import type { HttpClient, PipelineRequest, PipelineResponse } from '@azure/core-rest-pipeline'
import { readBounded } from '../base/bounded-body.ts'
import { fromUtf8 } from '../base/encoding.ts'
import { MAX_ANSWER_BYTES } from './limits.ts'
import { loadPipelineSdk } from './sdk.ts'

/** What came of one HTTP request that an SDK of Azure sent. The body is as it stood on the wire. */
export type Exchange =
  | {
      readonly url: string
      readonly kind: 'answered'
      readonly status: number
      readonly headers: Headers
      /** `undefined` if it is not UTF-8. */
      readonly body: string | undefined
    }
  /** `sent`: whether the other side may have seen something of it. */
  | { readonly url: string; readonly kind: 'lost'; readonly sent: boolean }
  | { readonly url: string; readonly kind: 'oversized' }

export type HttpClientInput = {
  readonly fetch: typeof fetch
  /** Called with each exchange when it is over. */
  readonly record: (exchange: Exchange) => void
  /** A signal that ends a request, besides the one that it may have of its own. */
  readonly signal?: () => AbortSignal | undefined
}

/** Says who sends, and nothing about versions or the machine; `accept-encoding` is the platform's. */
const DROPPED_HEADERS: readonly string[] = ['user-agent', 'x-ms-useragent', 'accept-encoding']
const USER_AGENT = 'countersign'

/** Causes of a failed `fetch` in Node that come before the first byte of a request. */
const NOT_SENT: readonly unknown[] = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]

/**
 * The HTTP client under an SDK of Azure, the same on Node and in workerd: no redirect is followed,
 * an answer is read to `MAX_ANSWER_BYTES` and no further, a body is UTF-8 or nothing, and what
 * happened is told to `record`, because the errors that the SDKs make of it say too little and
 * quote too much.
 */
export async function createHttpClient(input: HttpClientInput): Promise<HttpClient> {
  const { createHttpHeaders } = await loadPipelineSdk()
  return {
    async sendRequest(request) {
      const exchange = await exchangeOnce(input, request)
      input.record(exchange)
      if (exchange.kind !== 'answered') throw new Error(`the request was ${exchange.kind}`)
      const headers = createHttpHeaders(Object.fromEntries(exchange.headers))
      const { status, body = '' } = exchange
      return { request, status, headers, bodyAsText: body } satisfies PipelineResponse
    },
  }
}

async function exchangeOnce(input: HttpClientInput, request: PipelineRequest): Promise<Exchange> {
  const { url } = request
  const init = toRequestInit(request, input.signal?.())
  let isAnswered = false
  try {
    const response = await input.fetch(url, init)
    isAnswered = true
    const bytes = await readBounded(response, MAX_ANSWER_BYTES)
    if (bytes === undefined) return { url, kind: 'oversized' }
    const { status, headers } = response
    return { url, kind: 'answered', status, headers, body: fromUtf8(bytes) }
  } catch (error) {
    return { url, kind: 'lost', sent: isAnswered || !isBeforeSending(error) }
  }
}

function toRequestInit(request: PipelineRequest, signal: AbortSignal | undefined): RequestInit {
  const { body, abortSignal, method } = request
  if (body !== undefined && body !== null && typeof body !== 'string') {
    throw new TypeError('a body that is not text')
  }
  if (!request.url.startsWith('https://') && !request.allowInsecureConnection) {
    throw new TypeError('a request without TLS')
  }
  const headers = new Headers(request.headers.toJSON())
  for (const name of DROPPED_HEADERS) headers.delete(name)
  headers.set('user-agent', USER_AGENT)
  const signals = [abortSignal, signal].filter((one) => one instanceof AbortSignal)
  return {
    method,
    headers,
    redirect: 'manual',
    ...(typeof body === 'string' && { body }),
    signal: AbortSignal.any(signals),
  }
}

/** workerd names no cause: whatever fails there may have been sent. */
function isBeforeSending(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && 'code' in cause && NOT_SENT.includes(cause.code)
}
