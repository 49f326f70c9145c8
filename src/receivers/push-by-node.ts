import { Agent } from 'node:https'
import type { LookupFunction } from 'node:net'
import { ADDRESS_NOT_PUBLIC, type PushOutcome } from '../signals/push-answer.ts'
import { askByNode } from './ask-by-node.ts'
import { ADDRESS_REFUSED, mayConnect, type PrivateHosts } from './checked-lookup.ts'
import { headersOf, MAX_ANSWER_BYTES, PUSH_TIMEOUT_MS, type Push, readAnswer } from './push.ts'

/**
 * Pushes over TLS 1.2 or newer, to public addresses alone. No redirect is followed: a receiver says where it
 * is when it makes its stream. Connections are kept for the next token. How many there are at once is for whoever pushes,
 * stream by stream: of a limit for a host one receiver there would use up what another one waits for.
 */
export function createNodePush(input: {
  readonly lookup: LookupFunction
  readonly privateHosts: PrivateHosts
  /** Certificates of authorities that are trusted besides; for networks that have their own. */
  readonly ca?: readonly string[]
}): { readonly push: Push; readonly close: () => void } {
  const { lookup, privateHosts, ca } = input
  const agent = new Agent({
    ...{ keepAlive: true, minVersion: 'TLSv1.2', lookup },
    ...(ca !== undefined && { ca: [...ca] }),
  })
  return {
    push: (target, token) => send(agent, privateHosts, { ...target, token }),
    close: () => agent.destroy(),
  }
}

async function send(
  agent: Agent,
  privateHosts: PrivateHosts,
  { token, ...target }: Parameters<Push>[0] & { readonly token: string },
): Promise<PushOutcome> {
  const url = new URL(target.url)
  if (url.protocol !== 'https:') return later('no TLS')
  if (!mayConnect(url.hostname, privateHosts)) return later(ADDRESS_NOT_PUBLIC)
  const answer = await askByNode(url, {
    ...{ method: 'POST', agent, body: token },
    headers: { ...headersOf(target), 'content-length': Buffer.byteLength(token) },
    ...{ timeoutMs: PUSH_TIMEOUT_MS, maxBytes: MAX_ANSWER_BYTES },
  })
  if (answer.kind === 'timeout') return later(`no answer within ${PUSH_TIMEOUT_MS / 1000} s`)
  if (answer.kind === 'failed') return later(describe(answer.error))
  const { status, body, headers } = answer
  return readAnswer({ status, body, retryAfter: headers['retry-after'] })
}

function later(cause: string): PushOutcome {
  return { kind: 'later', cause }
}

/** Codes alone: a message may quote what a receiver sent. */
function describe(error: NodeJS.ErrnoException): string {
  if (error.code === ADDRESS_REFUSED) return ADDRESS_NOT_PUBLIC
  return error.code ?? error.message.slice(0, 64)
}
