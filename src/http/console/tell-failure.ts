import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { z } from 'zod'
import { answerFailure } from '../admin/answer-failure.ts'
import type { HttpContext } from '../environment.ts'
import type { AdminFailure } from '../errors/problem-code.ts'
import type { Notice } from './layout.ts'

const told = z.object({
  title: z.string().optional(),
  detail: z.string().optional(),
  waits_for: z.string().optional(),
  expires_at: z.string().optional(),
})

/**
 * What a page says of a failure: what the API says of it, so that there is one text of each. One that only waits for a
 * second administrator is none.
 */
export async function tellFailure(
  c: HttpContext,
  failure: AdminFailure,
): Promise<{ readonly status: ContentfulStatusCode; readonly notice: Notice }> {
  const answer = answerFailure(c, failure)
  const { title, detail, waits_for: waits, expires_at: until } = told.parse(await answer.json())
  const status = answer.status as ContentfulStatusCode
  if (waits !== undefined) {
    const text = `It waits for a second administrator, until ${until}: ${detail}.`
    return { status, notice: { kind: 'note', text } }
  }
  const text = [title, detail].filter((part) => part !== undefined).join(': ')
  return { status, notice: { kind: 'alarm', text } }
}
