import { err, type Result } from '../../base/result.ts'
import { MAX_FORM_BYTES } from '../../oauth/limits.ts'
import { type Form, type FormFailure, readForm } from '../../oauth/token-form.ts'
import type { HttpContext } from '../environment.ts'
import { type RequestFailure, readText } from '../read-json.ts'

/** Why the body of a request is no form. */
export const FORM_TYPE_REASONS = ['form_content_type_refused'] as const

export type FormBodyFailure =
  | FormFailure
  | RequestFailure
  | { readonly reason: (typeof FORM_TYPE_REASONS)[number] }

const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(?:;|$)/i

/** The form in the body of a request. The query is not looked at: RFC 6749 §3.2. */
export async function readFormBody(c: HttpContext): Promise<Result<Form, FormBodyFailure>> {
  if (!FORM_TYPE.test(c.req.header('content-type') ?? '')) {
    return err({ reason: 'form_content_type_refused' })
  }
  const text = await readText(c, MAX_FORM_BYTES)
  return text.ok ? readForm(text.value) : text
}
