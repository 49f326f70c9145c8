import { Agent } from 'node:https'
import type { LookupFunction } from 'node:net'
import type { Post, PostOutcome, PostTarget } from '../base/post.ts'
import { ADDRESS_NOT_PUBLIC } from '../signals/push-answer.ts'
import { askByNode } from './ask-by-node.ts'
import { ADDRESS_REFUSED, mayConnect, type PrivateHosts } from './checked-lookup.ts'
import { MAX_ANSWER_BYTES, PUSH_TIMEOUT_MS } from './push.ts'

/**
 * Posts over TLS 1.2 or newer, to public addresses alone. No redirect is followed: a receiver says where it
 * is when it makes its stream. Connections are kept for the next one. How many there are at once is for whoever pushes,
 * stream by stream: of a limit for a host one receiver there would use up what another one waits for.
 */
export function createNodePost(input: {
  readonly lookup: LookupFunction
  readonly privateHosts: PrivateHosts
  /** Certificates of authorities that are trusted besides; for networks that have their own. */
  readonly ca?: readonly string[]
}): { readonly post: Post; readonly close: () => void } {
  const { lookup, privateHosts, ca } = input
  const agent = new Agent({
    ...{ keepAlive: true, minVersion: 'TLSv1.2', lookup },
    ...(ca !== undefined && { ca: [...ca] }),
  })
  return {
    post: (target, body) => send(agent, privateHosts, { ...target, body }),
    close: () => agent.destroy(),
  }
}

async function send(
  agent: Agent,
  privateHosts: PrivateHosts,
  { body, ...target }: PostTarget & { readonly body: string },
): Promise<PostOutcome> {
  const url = new URL(target.url)
  if (url.protocol !== 'https:') return later('no TLS')
  if (!mayConnect(url.hostname, privateHosts)) return later(ADDRESS_NOT_PUBLIC)
  const answer = await askByNode(url, {
    ...{ method: 'POST', agent, body },
    headers: { ...target.headers, 'content-length': Buffer.byteLength(body) },
    ...{ timeoutMs: PUSH_TIMEOUT_MS, maxBytes: MAX_ANSWER_BYTES },
  })
  if (answer.kind === 'timeout') return later(`no answer within ${PUSH_TIMEOUT_MS / 1000} s`)
  if (answer.kind === 'failed') return later(describe(answer.error))
  const { status, body: received, headers } = answer
  return { kind: 'answered', status, body: received, retryAfter: headers['retry-after'] }
}

function later(cause: string): PostOutcome {
  return { kind: 'later', cause }
}

/** Codes alone: a message may quote what a receiver sent. */
function describe(error: NodeJS.ErrnoException): string {
  if (error.code === ADDRESS_REFUSED) return ADDRESS_NOT_PUBLIC
  return error.code ?? error.message.slice(0, 64)
}
