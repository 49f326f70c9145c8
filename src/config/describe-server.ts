/** Host, port and database of a `DATABASE_URL`; never the password. */
export function describeServer(url: string): string {
  const { host, pathname } = new URL(url.replace('@/', '@localhost/'))
  return `${host}${pathname}`
}
