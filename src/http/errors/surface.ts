import {
  CODE_PATH,
  DISCOVERY_PATH,
  PROVIDER_KEYS_PATH,
  PROVIDER_PATH,
} from '../../vendors/oidc/discovery.ts'
import { answerConsoleFault } from '../console/notice.ts'
import type { HttpContext } from '../environment.ts'
import { answerFaultPage } from '../sign-in/fault-page.ts'
import { answerAuthzenError } from './authzen-error.ts'
import { answerAzureError } from './azure-error.ts'
import { answerOAuthError } from './oauth-error.ts'
import { answerOktaError } from './okta-error.ts'
import { answerProblem } from './problem.ts'

/** Which standard words the errors of a path. */
export type Surface = 'authzen' | 'azure' | 'oauth' | 'okta' | 'page' | 'console' | 'api'

export function surfaceOf(c: HttpContext): Surface {
  if (c.req.path.startsWith('/access/')) return 'authzen'
  if (c.req.path.startsWith('/oauth/') || c.req.path === CODE_PATH) return 'oauth'
  if (c.req.path.startsWith('/vendors/okta/')) return 'okta'
  if (isPage(c.req.path)) return 'page'
  if (/^\/console(?:\/|$)/.test(c.req.path)) return 'console'
  return c.req.path.startsWith('/attest/') ? 'azure' : 'api'
}

/** What a person sees in a browser: sign-ins, but for what programs read of them. */
function isPage(path: string): boolean {
  const isRead = path.endsWith('/state') || [DISCOVERY_PATH, PROVIDER_KEYS_PATH].includes(path)
  return path.startsWith(`${PROVIDER_PATH}/`) && !isRead
}

/** What can be wrong outside of every handler, and what is said of it where nothing else is. */
const MESSAGE_OF = {
  not_found: 'there is nothing here',
  method_not_allowed: 'this can be asked for by other methods only',
  text_not_storable: 'the request has text that cannot be kept as it is',
  internal: 'the service failed',
  unavailable: 'the service cannot answer at the moment',
} as const

/** Answers what no handler did, in the form of the standard that the surface speaks. */
export function answerUnhandled(
  c: HttpContext,
  code: keyof typeof MESSAGE_OF,
  detail?: string,
): Response {
  const message = detail ?? MESSAGE_OF[code]
  switch (surfaceOf(c)) {
    case 'authzen':
      return answerAuthzenError(c, code, message)
    case 'azure':
      return answerAzureError(c, code, message)
    case 'oauth':
      return answerOAuthError(c, code, message)
    case 'okta':
      return answerOktaError(c, code, detail)
    case 'page':
      return answerFaultPage(c, code)
    case 'console':
      return answerConsoleFault(c, code, message)
    case 'api':
      return answerProblem(c, code, detail)
  }
}
