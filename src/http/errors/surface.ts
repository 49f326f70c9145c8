import { answerError } from '../access/authzen.ts'
import { azureError } from '../agent/attest-tpm.ts'
import type { HttpContext } from '../environment.ts'
import { answerProblem } from './problem.ts'

/** Which standard words the errors of a path. */
export type Surface = 'authzen' | 'azure' | 'api'

export function surfaceOf(c: HttpContext): Surface {
  if (c.req.path.startsWith('/access/')) return 'authzen'
  return c.req.path.startsWith('/attest/') ? 'azure' : 'api'
}

/** What can be wrong outside of every handler. */
const UNHANDLED = {
  not_found: { status: 404, azure: 'NotFound', message: 'there is nothing here' },
  method_not_allowed: {
    status: 405,
    azure: 'MethodNotAllowed',
    message: 'this can be asked for by other methods only',
  },
  text_not_storable: {
    status: 400,
    azure: 'InvalidParameter',
    message: 'the request has text that cannot be kept as it is',
  },
  internal: { status: 500, azure: 'InternalError', message: 'the service failed' },
  unavailable: { status: 503, azure: 'ServiceUnavailable', message: 'the service cannot start' },
} as const

/** Answers what no handler did, in the form of the standard that the surface speaks. */
export function answerUnhandled(
  c: HttpContext,
  code: keyof typeof UNHANDLED,
  detail?: string,
): Response {
  const { status, azure, message } = UNHANDLED[code]
  switch (surfaceOf(c)) {
    case 'authzen':
      return answerError(c, status, detail ?? message)
    case 'azure':
      return c.json(azureError(azure, detail ?? message), status)
    case 'api':
      return answerProblem(c, code, detail)
  }
}
