import { createServer, type Socket } from 'node:net'
import { type PGlite, types } from '@electric-sql/pglite'
import { type GuestRequest, type GuestResponse, readLines, writeLine } from './guest-protocol.ts'

/** The owner's end of the socket: lets other processes of the same user use its database. */
export type GuestServer = {
  /** Requests that came before wait until then. */
  readonly serve: (db: PGlite) => void
  readonly close: () => Promise<void>
}

/** Drizzle reads times from text, in the form the other drivers give them. */
const TIMES_AS_TEXT = { [types.TIMESTAMPTZ]: (text: string) => text }

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
    readLines<GuestRequest>(socket, (request) => {
      const answer = ready.promise
        .then((db) => run(db, request))
        .catch((error) => {
          return failure(request, error)
        })
      void answer.then((response) => writeLine(socket, response))
    })
  })
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
