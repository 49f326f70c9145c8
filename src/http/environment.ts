import type { Context } from 'hono'
import type { Scope } from '../store/store.ts'

/** Who calls the API, proven by HTTP Basic or by an access token. */
export type Caller = {
  /** The id of one of our clients; of callers by other issuers' tokens what `ProvenCaller` says. */
  readonly clientId: string
  readonly scopes: readonly Scope[]
}

/** What middleware leaves for handlers. All else they are given when their routes are made. */
export type HttpEnv = {
  Variables: {
    requestId: string
    client: Caller
  }
}

export type HttpContext = Context<HttpEnv>
