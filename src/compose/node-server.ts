import { type ServerType, serve } from '@hono/node-server'
import type { Log } from '../base/log.ts'
import type { Config } from '../config/config.ts'
import { ByteExactResponse } from '../http/byte-exact-response.ts'
import type { HttpEnv } from '../http/environment.ts'

/** The listening end of the service: what answers there may change while it listens. */
export type NodeServer = {
  answer: (request: Request, env?: HttpEnv['Bindings']) => Response | Promise<Response>
  /** Where it listens, or is going to. */
  readonly url: string
  /** Once; after that it does nothing. Rejects where the address cannot be had. */
  readonly listen: () => Promise<void>
  /**
   * Takes no new connections, and lets go of each open one as soon as nothing is under way on it. Does
   * nothing where nobody listens.
   */
  readonly close: (log: Log) => Promise<void>
}

/** What is under way gets this long; an orchestrator usually kills after 30 s. */
const DRAIN_MS = 10_000
/** A kept-alive connection would else stay open for seconds after its last answer. */
const LET_GO_EVERY_MS = 50
/**
 * A sender that is slower than this holds memory for nothing: head and body of a request together,
 * looked at each few seconds. It is answered 408 and cut off.
 */
const REQUEST_TIMEOUT_MS = 30_000
const TIMEOUT_CHECKS = 6

export function createNodeServer(
  { host, port }: Pick<Config, 'host' | 'port'>,
  timeoutMs = REQUEST_TIMEOUT_MS,
): NodeServer {
  let listening: ServerType | undefined
  const self: NodeServer = {
    answer: () => new Response(null, { status: 503 }),
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    async listen() {
      listening ??= await startListening((request, env) => self.answer(request, env), {
        ...{ host, port, timeoutMs },
      })
    },
    async close(log) {
      if (listening !== undefined) await closeServer(listening, log)
      listening = undefined
    },
  }
  return self
}

function startListening(
  answer: NodeServer['answer'],
  { host, port, timeoutMs }: Pick<Config, 'host' | 'port'> & { readonly timeoutMs: number },
): Promise<ServerType> {
  return new Promise((resolve, reject) => {
    const serverOptions = {
      requestTimeout: timeoutMs,
      headersTimeout: timeoutMs,
      connectionsCheckingInterval: timeoutMs / TIMEOUT_CHECKS,
      ServerResponse: ByteExactResponse,
    }
    const server = serve({ fetch: answer, hostname: host, port, serverOptions }, () =>
      resolve(server),
    )
    server.once('error', reject)
  })
}

function closeServer(server: ServerType, log: Log): Promise<void> {
  return new Promise((resolve) => {
    const letGo = setInterval(() => {
      if ('closeIdleConnections' in server) server.closeIdleConnections()
    }, LET_GO_EVERY_MS)
    const force = setTimeout(() => {
      log.warn('connections_cut', { after_ms: DRAIN_MS })
      if ('closeAllConnections' in server) server.closeAllConnections()
    }, DRAIN_MS)
    server.close(() => {
      clearInterval(letGo)
      clearTimeout(force)
      resolve()
    })
  })
}
