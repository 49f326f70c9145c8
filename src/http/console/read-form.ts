import type { z } from 'zod'
import { err, type Result } from '../../base/result.ts'
import type { HttpContext } from '../environment.ts'
import { readFormBody } from '../oauth/read-form.ts'
import { parseForm, type RequestFailure } from '../read-json.ts'

/** The form that a page has posted, in the form of `schema`. Fields that are empty are left out. */
export async function readPosted<T>(
  c: HttpContext,
  schema: z.ZodType<T>,
): Promise<Result<T, RequestFailure>> {
  const form = await readFormBody(c)
  if (form.ok) return parseForm(schema, Object.fromEntries(form.value))
  const { failure } = form
  if ('detail' in failure) return err(failure)
  return err({ reason: 'request_malformed', detail: 'the form cannot be read' })
}
