import type { HttpContext } from '../environment.ts'

/** Not proven to be a client; a client without the scope; refused too often. */
export type ClientRefusal = 'unauthenticated' | 'forbidden' | 'client_rate_limited'

/** Words a refusal in the standard of a surface. `unavailable`: it cannot be said now who calls. */
export type RefuseClient = (
  c: HttpContext,
  code: ClientRefusal | 'unavailable',
  message: string,
) => Response
