import { createServer, type Socket } from 'node:net'
import { type PGlite, types } from '@electric-sql/pglite'
import {
  encodeLine,
  type GuestRequest,
  type GuestResponse,
  readMessages,
  readRequest,
} from './guest-protocol.ts'

/** The owner's end of the socket: lets other processes of the same user use its database. */
export type GuestServer = {
  /** Requests that came before wait until then. */
  readonly serve: (db: PGlite) => void
  readonly close: () => Promise<void>
}

/** Drizzle reads times from text, in the form the other drivers give them. */
const TIMES_AS_TEXT = { [types.TIMESTAMPTZ]: (text: string) => text }
/** Commands of one operator; each may hold one unfinished line. */
const CONNECTIONS_MOST = 64

export async function listenForGuests(path: string): Promise<GuestServer> {
  const ready = Promise.withResolvers<PGlite>()
  // Nobody may be waiting when the owner gives up.
  ready.promise.catch(() => {})
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.unref()
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    void serveGuest(socket, ready.promise).catch(() => socket.destroy())
  })
  server.maxConnections = CONNECTIONS_MOST
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  // The socket alone is no reason for a process to go on.
  server.unref()

  return {
    serve: (db) => ready.resolve(db),
    close() {
      ready.reject(new Error('the owner of the data directory has ended'))
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/**
 * Answers one request after the other: the database has one session anyhow. Rejects when the guest
 * says what is no request, which is the end of its connection and of nothing else.
 */
async function serveGuest(socket: Socket, ready: Promise<PGlite>): Promise<void> {
  for await (const request of readMessages(socket, readRequest)) {
    const line = await answer(ready, request)
    if (!socket.writable) return
    if (!socket.write(line)) await drained(socket)
  }
}

/** What cannot be answered, or has an answer that JSON cannot write, is told as an error. */
async function answer(ready: Promise<PGlite>, request: GuestRequest): Promise<string> {
  try {
    return encodeLine(await run(await ready, request))
  } catch (error) {
    return encodeLine(failure(request, error))
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done).off('close', done)
      resolve()
    }
    socket.on('drain', done).on('close', done)
  })
}

async function run(db: PGlite, request: GuestRequest): Promise<GuestResponse> {
  const { id, sql, params, asArrays } = request
  const { rows } = await db.query(sql, [...params], {
    rowMode: asArrays ? 'array' : 'object',
    parsers: TIMES_AS_TEXT,
  })
  return { id, rows }
}

function failure(request: GuestRequest, error: unknown): GuestResponse {
  const { id } = request
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
  return { id, error: code === undefined ? { message } : { message, code } }
}
