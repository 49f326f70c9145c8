import { z } from 'zod'
import { err, ok, type Result } from '../../base/result.ts'
import type { HttpContext } from '../environment.ts'
import { answerProblem } from '../errors/problem.ts'
import { readJson } from '../read-json.ts'

/** A whole document and what goes with it. */
export const MAX_DOCUMENT_BYTES = 1024 * 1024
/** Anything else that an administrator sends. */
export const MAX_CHANGE_BYTES = 8 * 1024

export const reasonText = z.string().trim().min(1).max(500)

/** The body of a request in the form of `schema`, or the answer that it gets instead. */
export async function readBody<T>(
  c: HttpContext,
  schema: z.ZodType<T>,
  maxBytes = MAX_CHANGE_BYTES,
): Promise<Result<T, { readonly reason: 'answered'; readonly answer: Response }>> {
  const refuse = (answer: Response) => err({ reason: 'answered' as const, answer })
  const body = await readJson(c, maxBytes)
  if (!body.ok) return refuse(answerProblem(c, body.failure.reason, body.failure.detail))
  const parsed = schema.safeParse(body.value)
  if (parsed.success) return ok(parsed.data)
  return refuse(answerProblem(c, 'request_malformed', z.prettifyError(parsed.error)))
}

const listQuery = z.object({ limit: z.coerce.number().int().min(1).max(1000).default(50) })

/** How many rows a list shows, or the answer that a wrong query gets. */
export function readLimit(
  c: HttpContext,
): Result<number, { readonly reason: 'answered'; readonly answer: Response }> {
  const query = listQuery.safeParse(c.req.query())
  if (query.success) return ok(query.data.limit)
  const answer = answerProblem(c, 'request_malformed', z.prettifyError(query.error))
  return err({ reason: 'answered', answer })
}
