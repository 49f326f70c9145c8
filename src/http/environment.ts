import type { Context } from 'hono'
import type { SignedIn } from '../operations/people/session.ts'
import type { Scope } from '../store/store.ts'

/** Who calls: a program, proven by HTTP Basic or by an access token, or a person, by a session of the console. */
export type Caller = {
  /**
   * The id of one of our clients; of callers by other issuers' tokens what `ProvenCaller` says; of a person
   * `Person['personId']`. The audit names it, and the rule of the second administrator compares it.
   */
  readonly clientId: string
  readonly scopes: readonly Scope[]
}

/** What middleware leaves for handlers. All else they are given when their routes are made. */
export type HttpEnv = {
  Variables: {
    requestId: string
    client: Caller
    /** On pages of the console: the person behind `client`. */
    signedIn: SignedIn
    /** The body of the request as it was sent, once it was read. */
    bodyText?: string
    /** Whether this is somebody else's request, which is carried out because `client` approves of it. */
    isSeconding?: boolean
    /** On pages of the console: what script and style are let in by. Content Security Policy Level 3 §2.3.1 */
    secureHeadersNonce?: string
  }
  /** What the server on Node knows of a request; absent elsewhere. */
  Bindings: {
    readonly incoming?: { readonly socket?: { readonly remoteAddress?: string | undefined } }
  }
}

export type HttpContext = Context<HttpEnv>
