/** The `code` of an error of Node or PostgreSQL, such as `ENOENT` or an SQLSTATE. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
