import { DrizzleQueryError } from 'drizzle-orm'

/**
 * What can keep a database from answering for a while: its connection is gone or refused, it took too
 * long, somebody else has the lock, it has no room for more, or too many wait here. Whoever asks again
 * later may be answered; nothing of it says anything about a device.
 */
export const STORE_FAULTS = ['connection', 'timeout', 'lock', 'too_many', 'queue_full'] as const

export type StoreFault = (typeof STORE_FAULTS)[number]

/**
 * The database refused a statement or did not answer: a fault of the infrastructure or of our own
 * code, never of a caller. Unlike the error it stands for it carries neither the statement nor its
 * parameters, so it can be logged: those hold claims, hashes of secrets and sealed keys.
 */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  /** SQLSTATE or the code of the network error, where there is one. */
  readonly code: string | undefined
  /** Why it may go well later; `undefined` where it is not known to pass by itself. */
  readonly fault: StoreFault | undefined

  constructor(cause: unknown) {
    super(`the store failed: ${cause instanceof Error ? cause.message : String(cause)}`)
    this.code = codeOf(cause)
    this.fault = storeFaultOf(cause)
  }
}

/** So many wait for the database already that another one would only cost memory. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError'

  constructor() {
    super('too many statements wait for the database')
  }
}

/** The database is not on the schema of this build, in either direction. */
export class SchemaNotCurrentError extends Error {
  override readonly name = 'SchemaNotCurrentError'
}

/** The data directory is in use by a process that does not let others in. */
export class DataDirectoryBusyError extends Error {
  override readonly name = 'DataDirectoryBusyError'
}

/** SQLSTATE (PostgreSQL, appendix A), or the name of a network error, by what it means to a caller. */
const FAULT_OF_CODE: readonly (readonly [pattern: RegExp, fault: StoreFault])[] = [
  // Connection exceptions, what PgBouncer says for itself (08P01), and a server on its way down or up.
  [/^(?:08...|57P0[1235])$/, 'connection'],
  // A standby that was asked during a failover; a session that was ended for idling in a transaction.
  [/^(?:25006|25P0[34])$/, 'connection'],
  [/^(?:57014)$/, 'timeout'],
  // A lock that was not to be had in time, a deadlock, a conflict of transactions.
  [/^(?:55P03|40P01|40001)$/, 'lock'],
  // Insufficient resources: connections, memory, disk.
  [/^53...$/, 'too_many'],
  [/^(?:ECONN(?:REFUSED|RESET|ABORTED)|EPIPE|ENOTFOUND|EAI_AGAIN)$/, 'connection'],
  [/^(?:EHOSTUNREACH|ENETUNREACH|ENETDOWN)$/, 'connection'],
  [/^ETIMEDOUT$/, 'timeout'],
]

/** What drivers and runtimes say without a code: `pg`, its pool, PGlite and workerd. */
const FAULT_OF_MESSAGE: readonly (readonly [pattern: RegExp, fault: StoreFault])[] = [
  [/^(?:Query read timeout|timeout exceeded when trying to connect|timeout expired)/, 'timeout'],
  [/^(?:Connection terminated|Client has encountered a connection error)/, 'connection'],
  [/^(?:Client was closed|Cannot use a pool after calling end)/, 'connection'],
  [/^(?:the process that owns the data directory has ended|PGlite is closed)/, 'connection'],
  [/^(?:the owner of the data directory has ended)/, 'connection'],
  [/^(?:Network connection lost|Stream was cancelled|proxy request failed)/, 'connection'],
]

/** What kept the database from answering; `undefined` for every other error. */
export function storeFaultOf(error: unknown): StoreFault | undefined {
  if (error instanceof StoreError) return error.fault
  if (error instanceof QueueFullError) return 'queue_full'
  if (error instanceof DrizzleQueryError) return storeFaultOf(error.cause)
  const code = codeOf(error)
  // A socket of the file system that is not there is as good as refused; any other file is a fault of ours.
  if (code === 'ENOENT') return isOfConnecting(error) ? 'connection' : undefined
  if (code !== undefined) return FAULT_OF_CODE.find(([pattern]) => pattern.test(code))?.[1]
  if (!(error instanceof Error)) return undefined
  return FAULT_OF_MESSAGE.find(([pattern]) => pattern.test(error.message))?.[1]
}

function isOfConnecting(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'connect'
}

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

type Methods = Record<string, (...args: never[]) => Promise<unknown>>

/** The same methods, failing with `StoreError` where Drizzle would quote the whole statement. */
export function withStoreErrors<M extends Methods>(methods: M): M {
  return Object.fromEntries(
    Object.entries(methods).map(([name, method]) => [
      name,
      (...args: never[]) => method(...args).catch(rethrow),
    ]),
  ) as M
}

function rethrow(error: unknown): never {
  if (error instanceof DrizzleQueryError) throw new StoreError(error.cause)
  throw error
}
