import type { Context } from 'hono'
import type { ApiClient } from '../store/store.ts'

/** What middleware leaves for handlers. All else they are given when their routes are made. */
export type HttpEnv = {
  Variables: {
    requestId: string
    client: ApiClient
  }
}

export type HttpContext = Context<HttpEnv>
