import { readRetryAfter } from '../../azure/retry.ts'
import { readBounded } from '../../base/bounded-body.ts'
import { fromUtf8 } from '../../base/encoding.ts'
import type { StateAnswer } from '../../vendors/state-request.ts'

export type AskJsonDependencies = {
  readonly fetch: typeof fetch
  readonly timeoutMs: number
  readonly clock: () => Date
}

const MAX_ANSWER_BYTES = 65_536

/**
 * Sends a request to an address of the vendor's own. No redirect is followed, and no more is read than what such an
 * answer may have. `undefined` where there is no answer in time.
 */
export async function askJson(
  { fetch: send, timeoutMs, clock }: AskJsonDependencies,
  url: string,
  request: {
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
    readonly body?: string | undefined
  },
): Promise<StateAnswer | undefined> {
  const { method, headers, body } = request
  try {
    const response = await send(url, {
      method,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
      headers: { ...headers, accept: 'application/json', 'user-agent': 'countersign' },
      ...(body !== undefined && { body }),
    })
    const bytes = await readBounded(response, MAX_ANSWER_BYTES)
    const after = response.headers.get('retry-after') ?? undefined
    return {
      status: response.status,
      body: parse(bytes),
      retryAfterSeconds: readRetryAfter(after, clock()),
    }
  } catch {
    return undefined
  }
}

function parse(bytes: Uint8Array | undefined): unknown {
  try {
    return JSON.parse((bytes && fromUtf8(bytes)) ?? '')
  } catch {
    return undefined
  }
}
