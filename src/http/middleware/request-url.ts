import type { HttpContext } from '../environment.ts'

/** The bases under which callers know the service. */
export type KnownOrigins = {
  readonly config: {
    readonly publicUrl: string
    /** Others, for a service of this machine alone. */
    readonly agentOrigins: readonly string[]
  }
}

/** The URL that a caller asked for, as it has to stand in a proof: base and path, without the query. */
export function urlOf(c: HttpContext, { config }: KnownOrigins): string {
  const { path, url } = c.req
  const { publicUrl, agentOrigins } = config
  return (agentOrigins.find((known) => url.startsWith(known + path)) ?? publicUrl) + path
}
