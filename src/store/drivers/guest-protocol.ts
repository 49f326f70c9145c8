import type { Socket } from 'node:net'
import { fromUtf8 } from '../../base/encoding.ts'
import { parseJson } from '../../base/json/parse.ts'

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
const LINE_END = 0x0a

/** A message as one line. Throws TypeError for values that JSON has no form for. */
export function encodeLine(message: GuestRequest | GuestResponse): string {
  return `${JSON.stringify(message)}\n`
}

/**
 * The messages that arrive, in their order. Reads no further while the last one is dealt with, so
 * that nobody can make the other side keep more than a line. A line that is too long or no message
 * of this protocol throws, which ends the connection.
 */
export async function* readMessages<T>(
  socket: Socket,
  read: (message: unknown) => T | undefined,
): AsyncGenerator<T> {
  let parts: Buffer[] = []
  let length = 0
  for await (const data of socket) {
    let rest: Buffer = data
    for (let end = rest.indexOf(LINE_END); end >= 0; end = rest.indexOf(LINE_END)) {
      const text = fromUtf8(Buffer.concat([...parts, rest.subarray(0, end)]))
      parts = []
      length = 0
      rest = rest.subarray(end + 1)
      const message = text === undefined ? undefined : read(parseJson(text))
      if (message === undefined) throw new Error('a line is not a message of this protocol')
      yield message
    }
    parts.push(rest)
    length += rest.length
    if (length > LINE_BYTES_MOST) throw new Error('a line is too long')
  }
}

/** `undefined` for anything but a whole request. */
export function readRequest(message: unknown): GuestRequest | undefined {
  if (!isObject(message)) return undefined
  const { id, sql, params, asArrays } = message
  if (!isId(id) || typeof sql !== 'string') return undefined
  return Array.isArray(params) && typeof asArrays === 'boolean'
    ? { id, sql, params, asArrays }
    : undefined
}

/** `undefined` for anything but a whole response. */
export function readResponse(message: unknown): GuestResponse | undefined {
  if (!isObject(message) || !isId(message.id)) return undefined
  const { id, rows, error } = message
  if (Array.isArray(rows)) return { id, rows }
  if (!isObject(error) || typeof error.message !== 'string') return undefined
  const { message: told, code } = error
  return { id, error: typeof code === 'string' ? { message: told, code } : { message: told } }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value)
}
