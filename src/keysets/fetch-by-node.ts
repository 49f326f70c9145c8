import { Agent } from 'node:https'
import type { LookupFunction } from 'node:net'
import { askByNode } from '../receivers/ask-by-node.ts'
import { mayConnect, type PrivateHosts } from '../receivers/checked-lookup.ts'
import type { FetchJson } from './key-sets.ts'
import { FETCH_TIMEOUT_MS, MAX_SET_BYTES } from './limits.ts'
import { HEADERS, parseSet } from './read-set.ts'

/**
 * Fetches key sets over TLS 1.2 or newer, from public addresses alone: what a name leads to is looked at when
 * the connection is made. No redirect is followed.
 */
export function createNodeFetchJson(input: {
  readonly lookup: LookupFunction
  readonly privateHosts: PrivateHosts
  /** Certificates of authorities that are trusted besides; for networks that have their own. */
  readonly ca?: readonly string[]
}): FetchJson {
  const { lookup, privateHosts, ca } = input
  const agent = new Agent({
    ...{ minVersion: 'TLSv1.2', lookup },
    ...(ca !== undefined && { ca: [...ca] }),
  })
  return async (text) => {
    const url = new URL(text)
    if (url.protocol !== 'https:' || !mayConnect(url.hostname, privateHosts)) return undefined
    const answer = await askByNode(url, {
      ...{ method: 'GET', agent, headers: HEADERS },
      ...{ timeoutMs: FETCH_TIMEOUT_MS, maxBytes: MAX_SET_BYTES },
    })
    return answer.kind === 'answered' && answer.status === 200 ? parseSet(answer.body) : undefined
  }
}
