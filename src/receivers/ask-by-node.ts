import type { IncomingHttpHeaders } from 'node:http'
import { type RequestOptions, request } from 'node:https'

export type NodeRequest = Pick<RequestOptions, 'agent' | 'headers' | 'method'> & {
  readonly body?: string
  /** For all of it, from the name of the host to the end of the answer. */
  readonly timeoutMs: number
  /** Of an answer that is longer nothing counts. */
  readonly maxBytes: number
}

/** What came of a request. `timeout`: whatever failed did so since the time was over. */
export type NodeAnswer =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly headers: IncomingHttpHeaders
      readonly body: Uint8Array
    }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'failed'; readonly error: NodeJS.ErrnoException }

/**
 * Asks a server that somebody else runs, which follows no rule: whatever it answers, and if it does not, this comes
 * to an end, and never rejects. No redirect is followed, and no other protocol is changed to (RFC 9110 §15.2.2): Node
 * tells of an answer of 101 by the end of the connection alone, which no time-out follows.
 */
export function askByNode(url: URL, asked: NodeRequest): Promise<NodeAnswer> {
  const { body, timeoutMs, maxBytes, ...options } = asked
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const sent = request(url, { ...options, signal })
    const fail = (error: Error) => {
      resolve(signal.aborted ? { kind: 'timeout' } : { kind: 'failed', error })
      sent.destroy()
    }
    let isAnswered = false
    sent.on('error', fail)
    sent.on('close', () => {
      if (!isAnswered) fail(new Error('no answer'))
    })
    sent.on('response', (response) => {
      isAnswered = true
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > maxBytes) return fail(new Error('too long an answer'))
        chunks.push(chunk)
      })
      response.on('error', fail)
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response
        resolve({ kind: 'answered', status, headers, body: Buffer.concat(chunks) })
      })
      response.on('close', () => fail(new Error('the answer broke off')))
    })
    sent.end(body)
  })
}
