import type { HttpContext } from '../environment.ts'
import type { ClientRefusal } from '../middleware/refuse-client.ts'
import { statusOf } from './problem.ts'
import { problem } from './problem-answer.ts'
import type { SharedCode } from './problem-code.ts'

/** What can be wrong outside of the verifier, which words its own refusals (`toWireError`). */
export type AzureErrorCode = Exclude<SharedCode, ClientRefusal> | 'verifier_busy'

/** The codes of Azure Attestation. */
const CODE_OF: Readonly<Record<AzureErrorCode, string>> = {
  content_type_not_json: 'InvalidParameter',
  body_too_large: 'InvalidParameter',
  body_incomplete: 'InvalidParameter',
  body_not_utf8: 'InvalidParameter',
  body_too_deep: 'InvalidParameter',
  body_not_json: 'InvalidParameter',
  text_not_storable: 'InvalidParameter',
  request_malformed: 'InvalidParameter',
  verifier_busy: 'ServiceBusy',
  not_found: 'NotFound',
  method_not_allowed: 'MethodNotAllowed',
  internal: 'InternalError',
  unavailable: 'ServiceUnavailable',
}

/** Verification is the dearest thing that an unknown caller can ask for: past so many, come later. */
export const VERIFIER_BUSY = problem(
  503,
  'Too many requests are being verified.',
  'Send the same request again after the seconds in Retry-After.',
)

/** Answers in the form of Azure's errors. */
export function answerAzureError(c: HttpContext, code: AzureErrorCode, message: string): Response {
  const status = code === 'verifier_busy' ? VERIFIER_BUSY.status : statusOf(code)
  const innererror = { code, request_id: c.get('requestId') }
  return c.json({ error: { code: CODE_OF[code], message, innererror } }, status)
}
