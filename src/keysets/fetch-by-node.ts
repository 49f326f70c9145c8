import { Agent, request } from 'node:https'
import type { LookupFunction } from 'node:net'
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
    const mayFetch = url.protocol === 'https:' && mayConnect(url.hostname, privateHosts)
    return mayFetch ? parseSet(await get(agent, url)) : undefined
  }
}

/** `undefined` where there is no answer of 200 of bounded size in time. */
function get(agent: Agent, url: URL): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS)
    const sent = request(url, { method: 'GET', agent, headers: HEADERS, signal })
    const giveUp = () => {
      resolve(undefined)
      sent.destroy()
    }
    sent.on('error', giveUp)
    sent.on('response', (response) => {
      if (response.statusCode !== 200) return giveUp()
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > MAX_SET_BYTES) return giveUp()
        chunks.push(chunk)
      })
      response.on('error', giveUp)
      response.on('end', () => resolve(Buffer.concat(chunks)))
    })
    sent.end()
  })
}
