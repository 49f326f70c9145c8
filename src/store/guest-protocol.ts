import type { Socket } from 'node:net'

/**
 * What a guest and the owner of a data directory say to each other over the Unix socket: one JSON
 * text per line. Each request is one whole statement, so the single session of the embedded database
 * is never shared in the middle of something. (The PostgreSQL protocol would: a prepared statement
 * of one connection is in the way of every other.) Who may open the socket is for the file system.
 */
export type GuestRequest = {
  readonly id: number
  readonly sql: string
  readonly params: readonly unknown[]
  /** Rows as arrays of columns instead of objects. */
  readonly asArrays: boolean
}

export type GuestResponse =
  | { readonly id: number; readonly rows: readonly unknown[] }
  | { readonly id: number; readonly error: { readonly message: string; readonly code?: string } }

/** More than any statement of the store needs; a line that goes on longer ends the connection. */
const LINE_BYTES_MOST = 16 * 1024 * 1024

export function writeLine(socket: Socket, message: GuestRequest | GuestResponse): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`)
}

/** Calls `take` with each line that arrives; one that is not JSON or too long ends the connection. */
export function readLines<T>(socket: Socket, take: (message: T) => void): void {
  let parts: Buffer[] = []
  let length = 0
  socket.on('data', (data: Buffer) => {
    let rest = data
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      parts.push(rest.subarray(0, end))
      const line = Buffer.concat(parts).toString('utf8')
      parts = []
      length = 0
      rest = rest.subarray(end + 1)
      try {
        take(JSON.parse(line))
      } catch (error) {
        socket.destroy(error instanceof Error ? error : undefined)
        return
      }
    }
    parts.push(rest)
    length += rest.length
    if (length > LINE_BYTES_MOST) socket.destroy(new Error('a line is too long'))
  })
}
