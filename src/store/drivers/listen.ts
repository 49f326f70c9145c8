import pg from 'pg'
import { APPLICATION_NAME } from './limited-pool.ts'
import { CONNECT_MS } from './statement-limits.ts'

/** What functions of the database notify with the commit of something that is to be delivered. */
export const SIGNALS_CHANNEL = 'countersign_signals'

/** After a connection broke, or could not be made; what was notified meanwhile is not told again. */
const AGAIN_MS = 2000

/**
 * Calls `onSignal` after each commit that leaves something to deliver, over a connection of its own, which is
 * made again when it breaks. Best effort: whoever must not miss one looks from time to time besides. Not
 * through a pooler of transactions, which hands notifications to nobody.
 */
export function listenOnPostgres(url: string, onSignal: () => void): () => Promise<void> {
  let client: pg.Client | undefined
  let timer: NodeJS.Timeout | undefined
  let isStopped = false
  const again = () => {
    if (isStopped) return
    timer = setTimeout(connect, AGAIN_MS)
    timer.unref()
  }
  const connect = () => {
    const next = openClient(url)
    client = next
    // `end` comes after every connection, also after one that was never made.
    next.once('end', again)
    next.on('notification', onSignal)
    next
      .connect()
      .then(
        async () => {
          await next.query(`LISTEN ${SIGNALS_CHANNEL}`)
          onSignal()
        },
        () => next.end(),
      )
      .catch(() => next.end().catch(() => {}))
  }
  connect()
  return async () => {
    isStopped = true
    clearTimeout(timer)
    await client?.end().catch(() => {})
  }
}

function openClient(url: string): pg.Client {
  const client = new pg.Client({
    connectionString: url,
    application_name: `${APPLICATION_NAME} signals`,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
  })
  // Unheard, the error of a connection that breaks ends the process.
  client.on('error', () => {})
  return client
}
