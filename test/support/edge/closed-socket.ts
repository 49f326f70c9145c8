/**
 * Whether this is what each connection of `pg` leaves behind when it is closed inside workerd: the
 * loop of `pg-cloudflare` that reads from the socket is not told and its promise is nobody's.
 */
export function isClosedDatabaseSocket(error: {
  readonly name?: string
  readonly message?: string
  readonly stack?: string | undefined
}): boolean {
  const { name, message, stack = '' } = error
  return (
    name === 'TypeError' &&
    message === 'This socket has been closed.' &&
    stack.includes('CloudflareSocket._listen')
  )
}
