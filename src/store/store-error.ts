import { DrizzleQueryError } from 'drizzle-orm'

/**
 * The database refused a statement or did not answer: a fault of the infrastructure or of our own
 * code, never of a caller. Unlike the error it stands for it carries neither the statement nor its
 * parameters, so it can be logged: those hold claims, hashes of secrets and sealed keys.
 */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  /** SQLSTATE or the code of the network error, where there is one. */
  readonly code: string | undefined

  constructor(cause: unknown) {
    super(`the store failed: ${cause instanceof Error ? cause.message : String(cause)}`)
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    this.code = typeof code === 'string' ? code : undefined
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
