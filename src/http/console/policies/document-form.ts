import { z } from 'zod'
import { isStorableText } from '../../../base/encoding.ts'
import { err, type Result } from '../../../base/result.ts'
import { readForm } from '../../../oauth/token-form.ts'
import type { HttpContext } from '../../environment.ts'
import { parseForm, type RequestFailure, readText } from '../../read-json.ts'

/** A document of the most that the API takes, as a form encodes it: three bytes for one at the most. */
const MAX_FORM_BYTES = 3 * 1024 * 1024

const documentForm = z.strictObject({
  do: z.enum(['check', 'keep']),
  document: z
    .string()
    .max(1024 * 1024)
    // A form sends the ends of lines in a way of its own (WHATWG HTML, "normalize newlines").
    .transform((text) => text.replaceAll('\r\n', '\n')),
  reason: z
    .string()
    .trim()
    .max(500)
    .refine(isStorableText, 'has text that cannot be kept')
    .default(''),
})

export type DocumentForm = z.infer<typeof documentForm>

/** The document that the editor has posted. */
export async function readDocumentForm(
  c: HttpContext,
): Promise<Result<DocumentForm, RequestFailure>> {
  if (!/^application\/x-www-form-urlencoded\b/i.test(c.req.header('content-type') ?? '')) {
    return err({ reason: 'request_malformed', detail: 'the body must be a form' })
  }
  const text = await readText(c, MAX_FORM_BYTES)
  if (!text.ok) return text
  const form = readForm(text.value)
  return form.ok
    ? parseForm(documentForm, Object.fromEntries(form.value))
    : err({ reason: 'request_malformed', detail: 'the form cannot be read' })
}
