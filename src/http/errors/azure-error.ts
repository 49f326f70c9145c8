import type { HttpContext } from '../environment.ts'
import type { ClientRefusal } from '../middleware/api-client.ts'
import { type SharedCode, statusOf } from './problem.ts'

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

/** Answers in the form of Azure's errors. */
export function answerAzureError(c: HttpContext, code: AzureErrorCode, message: string): Response {
  const status = code === 'verifier_busy' ? 503 : statusOf(code)
  const innererror = { code, request_id: c.get('requestId') }
  return c.json({ error: { code: CODE_OF[code], message, innererror } }, status)
}
