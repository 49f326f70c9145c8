import { createServer, type Socket } from 'node:net'
import type { PGlite } from '@electric-sql/pglite'
import { equalBytes } from '../../base/digest.ts'

/** An embedded database behind a socket that speaks PostgreSQL's protocol, version 3. */
export type EmbeddedSocket = {
  /** With a password, as other users of this machine reach the address too. */
  readonly url: string
  readonly close: () => Promise<void>
}

/** PostgreSQL's own limit of what somebody may send who is not known yet. */
const STARTUP_BYTES_MOST = 10_000
/** More than any statement of ours with its values. */
const MESSAGE_BYTES_MOST = 16 * 1024 * 1024
/** A connection that is silent for so long keeps all others waiting for nothing. */
const IDLE_MS = 15_000

const SSL_REQUEST = 80_877_103
const GSS_REQUEST = 80_877_104
const PROTOCOL_3 = 3

/**
 * Lets programs that want a PostgreSQL server use an embedded database, for development. It has one
 * session, so connections take turns: each has the database to itself until it ends, and the
 * next one finds neither its prepared statements nor its settings nor its open transaction.
 */
export async function listenForPostgres(
  db: PGlite,
  options: { readonly password: string; readonly idleMs?: number },
): Promise<EmbeddedSocket> {
  const { password, idleMs = IDLE_MS } = options
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    socket.setTimeout(idleMs, () => socket.destroy())
    void serve(socket, db, password).finally(() => socket.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`,
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

async function serve(socket: Socket, db: PGlite, password: string): Promise<void> {
  const incoming = createReader(socket)
  try {
    if (!(await admit(socket, incoming, password))) return
    await db.runExclusive(async () => {
      try {
        await answerMessages(socket, incoming, db)
      } finally {
        await resetSession(db)
      }
    })
  } catch {
    // The other side went away, or the database is being closed.
  }
}

/** The part of a connection before its first statement. Whether it may go on. */
async function admit(socket: Socket, incoming: Reader, password: string): Promise<boolean> {
  for (;;) {
    const length = (await incoming.peek(4)).readUInt32BE(0)
    if (length < 8 || length > STARTUP_BYTES_MOST) return false
    const code = (await incoming.take(length)).readUInt32BE(4)
    if (code >>> 16 === PROTOCOL_3) break
    if (code !== SSL_REQUEST && code !== GSS_REQUEST) return false
    socket.write('N')
  }
  socket.write(message('R', uint32(3)))
  const head = await incoming.peek(5)
  const length = head.readUInt32BE(1)
  if (head.toString('latin1', 0, 1) !== 'p' || length > STARTUP_BYTES_MOST) return false
  const given = (await incoming.take(1 + length)).subarray(5)
  if (!equalBytes(given, Buffer.from(`${password}\0`))) {
    socket.end(message('E', Buffer.from('SFATAL\0C28P01\0Mpassword authentication failed\0\0')))
    return false
  }
  const parameters = { server_version: '17.5', client_encoding: 'UTF8' }
  socket.write(
    Buffer.concat([
      message('R', uint32(0)),
      ...Object.entries(parameters).map(([name, value]) =>
        message('S', Buffer.from(`${name}\0${value}\0`)),
      ),
      message('Z', Buffer.from('I')),
    ]),
  )
  return true
}

/** Hands on what belongs together at once, so that the database never waits for the rest of it. */
async function answerMessages(socket: Socket, incoming: Reader, db: PGlite): Promise<void> {
  let batch: Buffer[] = []
  for (;;) {
    const head = await incoming.peek(5)
    const kind = head.toString('latin1', 0, 1)
    const length = head.readUInt32BE(1)
    if (length < 4 || length > MESSAGE_BYTES_MOST) return
    const received = await incoming.take(1 + length)
    if (kind === 'X') return
    batch.push(received)
    // Query, Sync and Flush are what a client waits for answers after.
    if (!'QSH'.includes(kind)) continue
    socket.write(await db.execProtocolRaw(Buffer.concat(batch)))
    batch = []
  }
}

/** What `DISCARD ALL` does, but for the plans of functions, which are the same for everybody. */
async function resetSession(db: PGlite): Promise<void> {
  await db.execProtocolRaw(message('S', Buffer.alloc(0)))
  const statements = ['rollback', 'deallocate all', 'reset all', 'discard temp', 'unlisten *']
  for (const statement of statements) {
    await db.execProtocolRaw(message('Q', Buffer.from(`${statement}\0`)))
  }
}

type Reader = {
  /** The next bytes, which stay to be taken. Throws if the stream ends before. */
  readonly peek: (length: number) => Promise<Buffer>
  readonly take: (length: number) => Promise<Buffer>
}

function createReader(socket: Socket): Reader {
  const chunks = socket[Symbol.asyncIterator]()
  let held: Buffer = Buffer.alloc(0)
  const peek = async (length: number) => {
    const parts = [held]
    let size = held.length
    while (size < length) {
      const { done, value } = await chunks.next()
      if (done === true) throw new Error('the connection has ended')
      parts.push(value)
      size += value.length
    }
    if (parts.length > 1) held = Buffer.concat(parts)
    return held.subarray(0, length)
  }
  return {
    peek,
    async take(length) {
      const taken = await peek(length)
      held = held.subarray(length)
      return taken
    },
  }
}

function message(kind: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(kind), uint32(4 + body.length), body])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
