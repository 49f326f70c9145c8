import { Agent, request } from 'node:https'
import type { LookupFunction } from 'node:net'
import type { PushOutcome } from '../signals/push-answer.ts'
import { ADDRESS_REFUSED, mayConnect, type PrivateHosts } from './checked-lookup.ts'
import { headersOf, MAX_ANSWER_BYTES, PUSH_TIMEOUT_MS, type Push, readAnswer } from './push.ts'

const MOST_CONNECTIONS = 64

/**
 * Pushes over TLS 1.2 or newer, to public addresses alone. No redirect is followed: a receiver says where it
 * is when it makes its stream. Connections are kept for the next token.
 */
export function createNodePush(input: {
  readonly lookup: LookupFunction
  readonly privateHosts: PrivateHosts
  /** Certificates of authorities that are trusted besides; for networks that have their own. */
  readonly ca?: readonly string[]
}): { readonly push: Push; readonly close: () => void } {
  const { lookup, privateHosts, ca } = input
  const agent = new Agent({
    ...{ keepAlive: true, maxSockets: MOST_CONNECTIONS, minVersion: 'TLSv1.2', lookup },
    ...(ca !== undefined && { ca: [...ca] }),
  })
  return {
    push: (target, token) => send(agent, privateHosts, { ...target, token }),
    close: () => agent.destroy(),
  }
}

function send(
  agent: Agent,
  privateHosts: PrivateHosts,
  input: Parameters<Push>[0] & { readonly token: string },
): Promise<PushOutcome> {
  const url = new URL(input.url)
  if (url.protocol !== 'https:') return Promise.resolve(later('no TLS'))
  if (!mayConnect(url.hostname, privateHosts)) return Promise.resolve(later(REFUSED))
  return new Promise((resolve) => {
    const headers = { ...headersOf(input), 'content-length': Buffer.byteLength(input.token) }
    const signal = AbortSignal.timeout(PUSH_TIMEOUT_MS)
    const sent = request(url, { method: 'POST', agent, headers, signal })
    sent.on('error', (error) => resolve(later(describe(error, signal))))
    sent.on('response', (response) => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > MAX_ANSWER_BYTES) return void sent.destroy(new Error('too long an answer'))
        chunks.push(chunk)
      })
      response.on('error', (error) => resolve(later(describe(error, signal))))
      response.on('end', () => {
        const { statusCode: status = 0, headers: received } = response
        const retryAfter = received['retry-after']
        resolve(readAnswer({ status, body: Buffer.concat(chunks), retryAfter }))
      })
    })
    sent.end(input.token)
  })
}

const REFUSED = 'its address is not a public one'

function later(cause: string): PushOutcome {
  return { kind: 'later', cause }
}

/** Codes alone: a message may quote what a receiver sent. */
function describe(error: NodeJS.ErrnoException, signal: AbortSignal): string {
  if (signal.aborted) return `no answer within ${PUSH_TIMEOUT_MS / 1000} s`
  if (error.code === ADDRESS_REFUSED) return REFUSED
  return error.code ?? error.message.slice(0, 64)
}
